//! How a transaction enters the database: as a member, API key, guest or customer of a tenant, as a person, or as a
//! stranger.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The tenant, the caller, and what the operation requires: the arguments of `app.enter`.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub tenant: Uuid,
    pub who: Who,
    /// The lowest role that the operation allows.
    pub needs: &'static str,
    /// The feature that the plan must include.
    pub feature: Option<&'static str>,
}

impl Context {
    /// The account or API key that acts; `None` for guests, the scheduler and the worker.
    pub fn actor(&self) -> Option<Uuid> {
        match self.who {
            Who::Session { account, .. } | Who::Customer { account, .. } => Some(account),
            Who::Key { id, .. } => Some(id),
            Who::Guest { .. } | Who::Scheduler | Who::Worker => None,
        }
    }
}

/// What a person who has signed in proves their session with: 128 random bits, of which the database has the SHA-256.
/// Ids are no secrets.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionSecret(pub [u8; 16]);

impl SessionSecret {
    /// The hash that is stored.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

/// Who enters a tenant.
#[derive(Clone, Copy)]
pub enum Who {
    /// A person who has signed in.
    Session { account: Uuid, session: Uuid, secret: SessionSecret },
    /// A program with an API key, and the secret that it sent.
    Key { id: Uuid, secret: [u8; 32] },
    /// A customer without an account, and the appointment that they book or have the link of.
    Guest { appointment: Uuid },
    /// The server itself, when it offers freed time to the waitlist.
    Scheduler,
    /// The worker, connected as `appointd_worker`.
    Worker,
    /// A customer who has signed in, and the one object that they create or change.
    Customer { account: Uuid, session: Uuid, secret: SessionSecret, subject: Uuid },
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session { account, session, .. } => write!(f, "Session({account}, {session})"),
            Self::Key { id, .. } => write!(f, "Key({id})"),
            Self::Guest { appointment } => write!(f, "Guest({appointment})"),
            Self::Scheduler => f.write_str("Scheduler"),
            Self::Worker => f.write_str("Worker"),
            Self::Customer { account, session, subject, .. } => {
                write!(f, "Customer({account}, {session}, {subject})")
            }
        }
    }
}

/// A person who has signed in, without a tenant: the arguments of `app.enter_account`.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    pub account: Uuid,
    pub session: Uuid,
    pub secret: SessionSecret,
}

/// How a transaction begins: in a tenant, as a person, or as a stranger.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Tenant(Context),
    Person(Person),
    /// Without a tenant or person: sees no rows of any tenant, and may call the functions of the gate.
    Stranger,
}

impl From<Context> for Entry {
    fn from(context: Context) -> Self {
        Self::Tenant(context)
    }
}

impl From<Person> for Entry {
    fn from(person: Person) -> Self {
        Self::Person(person)
    }
}
