//! Who asks for what: a tenant's member, key, guest or customer, a person without a tenant, or a stranger.

use uuid::Uuid;

/// Who asks, for which tenant, and what the operation asks of them: the arguments of `app.enter`.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub tenant: Uuid,
    pub who: Who,
    /// The lowest role that may.
    pub needs: &'static str,
    /// The feature the plan has to include.
    pub feature: Option<&'static str>,
}

impl Context {
    /// The account or API key that acts; none where a guest does.
    pub fn actor(&self) -> Option<Uuid> {
        match self.who {
            Who::Session { account, .. } | Who::Customer { account, .. } => Some(account),
            Who::Key { id, .. } => Some(id),
            Who::Guest { .. } | Who::Scheduler => None,
        }
    }
}

/// Who enters a tenant.
#[derive(Clone, Copy)]
pub enum Who {
    /// A person who has signed in.
    Session { account: Uuid, session: Uuid },
    /// A program with an API key, and the SHA-256 of the secret it sent.
    Key { id: Uuid, secret_hash: [u8; 32] },
    /// A customer without an account, and the appointment they book or have the link of.
    Guest { appointment: Uuid },
    /// The server itself, when it offers freed time to the waitlist.
    Scheduler,
    /// A customer who has signed in, and the one thing they are about to make or change.
    Customer { account: Uuid, session: Uuid, subject: Uuid },
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session { account, session } => write!(f, "Session({account}, {session})"),
            Self::Key { id, .. } => write!(f, "Key({id})"),
            Self::Guest { appointment } => write!(f, "Guest({appointment})"),
            Self::Scheduler => f.write_str("Scheduler"),
            Self::Customer { account, session, subject } => {
                write!(f, "Customer({account}, {session}, {subject})")
            }
        }
    }
}

/// A person who has signed in, without any tenant: what `app.enter_account` takes.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    pub account: Uuid,
    pub session: Uuid,
}

/// How a transaction begins: in a tenant, as a person, or as a stranger, who sees no row of any tenant.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Tenant(Context),
    Person(Person),
    /// Nobody in particular: sees nothing, and calls the functions of the gate.
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
