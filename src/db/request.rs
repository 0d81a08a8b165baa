//! The request that a transaction is part of: what the database needs to know about it, and what it has entered.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use uuid::Uuid;

use super::entry::{Context, Entry, Who};

/// What the database needs to know about a request. Set by the edge around a handler.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The request id, for the change log.
    pub id: String,
    /// The requested host, if it may be a tenant's; it must lead to the tenant that is entered. `None`: a host of the
    /// server.
    pub host: Option<String>,
    /// The scope that an API key needs.
    pub scope: Option<String>,
    /// The number of connections that the request holds.
    pub connections: Connections,
    /// What the request has entered so far.
    pub entered: Arc<Entered>,
}

/// Counts the connections of one request. It may hold only one: requests that wait for a second while they hold a first
/// could wait for each other.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<AtomicUsize>);

impl Connections {
    /// Counts one connection of the current request; `None` outside a request.
    pub(super) fn count() -> Option<Counted> {
        let connections = REQUEST.try_with(|request| request.connections.clone()).ok()?;
        let before = connections.0.fetch_add(1, Ordering::Relaxed);
        debug_assert_eq!(before, 0, "a request that has a connection asks for a second");
        Some(Counted(connections))
    }
}

pub(super) struct Counted(Connections);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a request has entered. Before that, its identity is only claimed by its credentials.
#[derive(Debug)]
pub struct Entered {
    entry: OnceLock<Entry>,
    /// The span that records who entered, as `tenant_id`, `account_id` and `key_id`.
    span: tracing::Span,
}

impl Default for Entered {
    fn default() -> Self {
        Self::new(tracing::Span::none())
    }
}

impl Entered {
    pub fn new(span: tracing::Span) -> Self {
        Self { entry: OnceLock::new(), span }
    }

    /// Whether it has entered a tenant, or as a person.
    pub fn anything(&self) -> bool {
        self.entry.get().is_some()
    }

    /// The tenant that was entered by a member, a customer or an API key.
    pub fn as_member(&self) -> Option<Uuid> {
        match self.entry.get()? {
            Entry::Tenant(Context {
                who: Who::Guest { .. } | Who::Scheduler { .. } | Who::Worker, ..
            })
            | Entry::Person(_)
            | Entry::Stranger => None,
            Entry::Tenant(context) => Some(context.tenant),
        }
    }

    pub(super) fn mark(&self, entry: Entry) {
        if matches!(entry, Entry::Stranger) || self.entry.set(entry).is_err() {
            return;
        }
        let record = |name, id: Uuid| {
            self.span.record(name, tracing::field::display(id));
        };
        match entry {
            Entry::Tenant(context) => {
                record("tenant_id", context.tenant);
                match context.who {
                    Who::Session { account, .. } | Who::Customer { account, .. } => {
                        record("account_id", account)
                    }
                    Who::Key { id, .. } => record("key_id", id),
                    Who::Guest { .. } | Who::Scheduler { .. } | Who::Worker => {}
                }
            }
            Entry::Person(person) => record("account_id", person.account),
            Entry::Stranger => {}
        }
    }
}

tokio::task_local! {
    /// The current request.
    pub static REQUEST: Request;
}
