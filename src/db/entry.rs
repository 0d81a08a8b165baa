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
            Who::Guest { .. } | Who::Scheduler { .. } | Who::Worker => None,
        }
    }
}

/// What a caller proves with that they may enter, for ids are no secrets: 128 bits, the secret of a session (the
/// database has its SHA-256) or the proof of a guest or of the scheduler (the database computes it).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass(pub [u8; 16]);

impl Pass {
    /// Reads what the database has computed; `None` if it is something else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash that is stored.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pass(…)")
    }
}

/// Who enters a tenant.
#[derive(Clone, Copy)]
pub enum Who {
    /// A person who has signed in.
    Session { account: Uuid, session: Uuid, secret: Pass },
    /// A program with an API key, and the secret that it sent.
    Key { id: Uuid, secret: [u8; 32] },
    /// A customer without an account, and the appointment that they book or have the link of; a nil one for looking.
    Guest { appointment: Uuid, proof: Pass },
    /// The server itself, when it offers freed time to the waitlist.
    Scheduler { proof: Pass },
    /// The worker, connected as `appointd_worker`.
    Worker,
    /// A customer who has signed in, and the one object that they create or change.
    Customer { account: Uuid, session: Uuid, secret: Pass, subject: Uuid },
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session { account, session, .. } => write!(f, "Session({account}, {session})"),
            Self::Key { id, .. } => write!(f, "Key({id})"),
            Self::Guest { appointment, .. } => write!(f, "Guest({appointment})"),
            Self::Scheduler { .. } => f.write_str("Scheduler"),
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
    pub secret: Pass,
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
