//! How many requests each organization sent, for the limits of its plan.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    db::{self, FrontDoor},
    http::edge::Counts,
    tenancy::subscriptions,
};

/// How often counted requests are stored.
const COUNTING: Duration = Duration::from_secs(5);

/// Regularly stores the number of requests of each organization.
pub(super) async fn write_counts(door: FrontDoor, counts: Arc<Counts>) {
    loop {
        sleep(COUNTING).await;
        write_down(&door, &counts).await;
    }
}

/// Stores the number of requests of each organization since the last time.
pub(super) async fn write_down(door: &FrontDoor, counts: &Counts) {
    let (organizations, requests): (Vec<_>, Vec<_>) = counts.take().into_iter().unzip();
    if organizations.is_empty() {
        return;
    }
    match subscriptions::add_requests(door, &organizations, &requests).await {
        Ok(()) => {}
        // It is unknown whether they were counted; counting them again could count them twice.
        Err(error @ db::Error::InDoubt) => tracing::warn!(%error, "requests may not have been counted"),
        Err(error) => {
            tracing::warn!(%error, "requests could not be counted yet");
            counts.put_back(organizations.into_iter().zip(requests));
        }
    }
}
