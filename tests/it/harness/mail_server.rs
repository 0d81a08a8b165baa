//! A mail server of the test's own, which behaves as it is told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use appointd::messaging::mail::Mailer;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What it does with a connection.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Closes it before the text of the mail is sent.
    CloseEarly,
    /// Takes the text, and closes it without an answer.
    CloseAfterText,
    /// Answers so to the recipient, or after the text.
    AnswerRecipient(&'static str),
    AnswerText(&'static str),
}

/// A mail server on this machine.
pub struct MailServer {
    pub url: String,
    pub mailer: Mailer,
    texts: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// Behaves so with the first connections, and takes the mails of all others.
    pub async fn start(behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        let from = "appointd <noreply@appointd.example>".parse().expect("an address");
        let mailer = Mailer::new(Some(&url), from, "https://pages.example.com".to_owned()).expect("a mailer");
        let texts = Arc::<Mutex<Vec<String>>>::default();
        let taken = texts.clone();
        let mut behaviours: VecDeque<_> = behaviours.into_iter().collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, behaviours.pop_front(), taken.clone()));
            }
        });
        Self { url, mailer, texts }
    }

    /// The texts of all mails it was sent, whether it said so or not.
    pub fn texts(&self) -> Vec<String> {
        self.texts.lock().expect("no panic").clone()
    }
}

/// Talks to one client (RFC 5321). A client that goes is no error.
async fn serve(stream: TcpStream, behaviour: Option<Behaviour>, taken: Arc<Mutex<Vec<String>>>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut text: Option<String> = None;
    let _ = writer.write_all(b"220 mail.example.com\r\n").await;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match (&mut text, line.split(' ').next().unwrap_or_default()) {
            (Some(whole), ".") => {
                taken.lock().expect("no panic").push(std::mem::take(whole));
                text = None;
                match behaviour {
                    Some(Behaviour::CloseAfterText) => return,
                    Some(Behaviour::AnswerText(answer)) => answer,
                    _ => "250 taken",
                }
            }
            (Some(whole), _) => {
                whole.push_str(line.strip_prefix('.').unwrap_or(&line));
                whole.push_str("\r\n");
                continue;
            }
            (None, "RCPT") => match behaviour {
                Some(Behaviour::AnswerRecipient(answer)) => answer,
                _ => "250 ok",
            },
            (None, "DATA") if matches!(behaviour, Some(Behaviour::CloseEarly)) => return,
            (None, "DATA") => {
                text = Some(String::new());
                "354 go on"
            }
            (None, "QUIT") => {
                let _ = writer.write_all(b"221 bye\r\n").await;
                return;
            }
            _ => "250 ok",
        };
        let _ = writer.write_all(format!("{answer}\r\n").as_bytes()).await;
    }
}
