//! What a guest asks for counts: towards the limits of one network address and of one e-mail address
//! (`scheduling.count_guest_request`), and as one seat of a group session. Counted is what takes time, in the transaction
//! that takes it: a request that is refused uses up nobody's limit.

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

/// A guest's request for time, as hashes.
#[derive(Clone)]
pub struct GuestRequest {
    address: Option<Vec<u8>>,
    email: Option<Vec<u8>>,
    /// What appointments of the e-mail address are marked with, so that they take one seat of a session.
    pub key: Option<Uuid>,
}

impl GuestRequest {
    /// Counts towards both limits.
    pub fn new(tenant: Uuid, address: IpAddr, email: Option<&str>) -> Self {
        let address = hash(tenant, "address", &subscriber(address).to_string());
        Self { address: Some(address), ..Self::of_email(tenant, email) }
    }

    /// Counts towards the limit of the e-mail address: the network address was counted when the time was held.
    pub fn of_email(tenant: Uuid, email: Option<&str>) -> Self {
        Self { email: email.map(|email| hash(tenant, "email", email)), ..Self::counted(tenant, email) }
    }

    /// Was counted before.
    pub fn counted(tenant: Uuid, email: Option<&str>) -> Self {
        let key = email.and_then(|email| Uuid::from_slice(&hash(tenant, "guest", email)[..16]).ok());
        Self { address: None, email: None, key }
    }

    /// Counts it: 429 beyond the limits of the organization. After the locks of booking, before anything is taken.
    pub async fn count(&self, tx: &mut Tx) -> Result<(), Failure> {
        if self.address.is_none() && self.email.is_none() {
            return Ok(());
        }
        let row = tx.one(sql!("scheduling/guest_requests_count.sql"), &[&self.address, &self.email]).await?;
        match row.get(0) {
            0 => Ok(()),
            seconds => Err(Problem::guest_limit(seconds).into()),
        }
    }
}

fn hash(tenant: Uuid, kind: &str, subject: &str) -> Vec<u8> {
    Sha256::digest(format!("{tenant} {kind} {subject}")).to_vec()
}
