//! Listens for notifications on a connection of its own, which is read all the time: PostgreSQL keeps what a session
//! has not read yet, and with it what vacuum could remove.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt as _;
use tokio::time::sleep;
use tokio_postgres::{AsyncMessage, Error};

use super::url::DatabaseUrl;

/// The pause before connecting again.
const AGAIN: Duration = Duration::from_secs(1);

/// After this time without traffic the system checks that the other side is still there.
const IDLE: Duration = Duration::from_secs(30);

/// What a listener hears.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// It listens from now on. What was sent before is lost.
    Listening,
    /// The payload of a notification.
    Notification(String),
    /// The connection is lost, or could not be made. It is tried again.
    Lost,
}

/// Listens to a channel for ever, and connects again when the connection is lost.
pub async fn listen(url: &DatabaseUrl, channel: &'static str, mut heard: impl FnMut(Heard)) {
    let mut failed_before = false;
    loop {
        let began = hear(url, channel, &mut heard).await;
        match began {
            Ok(()) => failed_before = false,
            Err(error) if !failed_before => {
                tracing::warn!(
                    error = url.explain(&error),
                    channel,
                    "notifications are not heard; polling until they are"
                );
                failed_before = true;
            }
            Err(_) => {}
        }
        heard(Heard::Lost);
        sleep(AGAIN).await;
    }
}

/// Listens until the connection is lost. Fails if it could not begin.
async fn hear(url: &DatabaseUrl, channel: &str, heard: &mut impl FnMut(Heard)) -> Result<(), Error> {
    let (client, messages) = url.hear(IDLE).await?;
    let mut messages = pin!(messages);
    let command = format!("listen {channel}");
    let mut beginning = pin!(client.batch_execute(&command));
    let mut listens = false;
    loop {
        tokio::select! {
            answer = &mut beginning, if !listens => {
                answer?;
                listens = true;
                heard(Heard::Listening);
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    heard(Heard::Notification(notification.payload().to_owned()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) if !listens => return Err(error),
                Some(Err(_)) | None => return Ok(()),
            },
        }
    }
}
