//! Limits for guests: bookings per network address and per e-mail address (`scheduling.count_guest_request`), and one
//! seat per e-mail address in a group session. A request is counted in the transaction that books, so a request that
//! fails does not count.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    db::Tx,
    http::{
        limit::subscriber,
        problem::{Failure, Problem},
    },
    sql,
};

/// A guest's request to book, with hashes of address and e-mail address.
#[derive(Clone)]
pub struct GuestRequest {
    address: Option<Vec<u8>>,
    email: Option<Vec<u8>>,
    /// Marks appointments of the e-mail address, so that they take at most one seat of a group session.
    pub key: Option<Uuid>,
    /// Whether the guest has opened the link in the e-mail to the address.
    pub verified: bool,
}

impl GuestRequest {
    /// A request that counts towards both limits.
    pub fn new(tenant: Uuid, address: IpAddr, email: Option<&str>) -> Self {
        let address = hash(tenant, "address", &subscriber(address).to_string());
        Self { address: Some(address), ..Self::of_email(tenant, email) }
    }

    /// A request that counts towards the limit of the e-mail address; the network address was counted when the time was
    /// held.
    pub fn of_email(tenant: Uuid, email: Option<&str>) -> Self {
        let key = email.and_then(|email| Uuid::from_slice(&hash(tenant, "guest", email)[..16]).ok());
        Self { address: None, email: email.map(|email| hash(tenant, "email", email)), key, verified: false }
    }

    /// A request that was counted before the link was sent, by a guest who opened that link.
    pub fn verified(tenant: Uuid, email: Option<&str>) -> Self {
        Self { email: None, verified: true, ..Self::of_email(tenant, email) }
    }

    /// Counts the request; 429 if a limit of the organization is exceeded. Call it after taking the locks and before
    /// booking.
    pub async fn count(&self, tx: &mut Tx) -> Result<(), Failure> {
        if self.address.is_none() && self.email.is_none() {
            return Ok(());
        }
        let sql = sql!("scheduling/guest_requests_count.sql" as (i32,));
        match tx.one(sql, &[&self.address, &self.email]).await? {
            (0,) => Ok(()),
            (seconds,) => Err(Problem::guest_limit(seconds).into()),
        }
    }
}

fn hash(tenant: Uuid, kind: &str, subject: &str) -> Vec<u8> {
    Sha256::digest(format!("{tenant} {kind} {subject}")).to_vec()
}
