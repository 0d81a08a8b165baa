//! Publishes events: moves committed rows of `messaging.outbox` to `messaging.events` and numbers them. One publisher
//! at a time works for one organization, whose row of `messaging.turns` it locks; it reads the outbox in the statement
//! after the lock, and so sees all that the previous one has committed. A publisher that dies has published all or
//! nothing of its transaction.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::{
    db::{self, Sql, Tx, WorkerDb, row},
    sql,
};

/// The maximum number of events that one transaction publishes.
const MOST_EVENTS: i64 = 200;

/// How many organizations are searched at once.
const MOST_TENANTS: i32 = 32;

/// The events of an organization that are to be published next.
const TAKE: Sql<Happened> = sql!("messaging/outbox_take.sql" as Happened);

/// An event that is about to be published.
#[derive(Debug, Serialize)]
pub struct Happened {
    #[serde(rename = "type")]
    pub kind: String,
    pub subject_id: Uuid,
    /// The object. A module adds the names of what it refers to: see [`Describe`].
    pub data: Map<String, Value>,
    /// What the changed fields held before.
    previous: Option<Map<String, Value>>,
    id: Uuid,
    occurred_at: DateTime<Utc>,
    actor_id: Option<Uuid>,
    actor_kind: String,
    request_id: Option<String>,
    lowest_role: String,
    position: i64,
    contact_id: Option<Uuid>,
    provider_id: Option<Uuid>,
}

row! {
    Happened {
        id, occurred_at, actor_id, actor_kind, request_id, kind = type, subject_id, lowest_role, data as json,
        previous as json;
        position: 0, contact_id: None, provider_id: None
    }
}

impl Happened {
    /// The id in a column of the object, if it has one.
    pub fn reference(&self, column: &str) -> Option<Uuid> {
        reference(&self.data, column)
    }

    /// The ids in a column of the object, as it is and as it was.
    pub fn references(&self, column: &str) -> impl Iterator<Item = Uuid> {
        let was = self.previous.as_ref().and_then(|previous| reference(previous, column));
        self.reference(column).into_iter().chain(was)
    }

    /// Adds the names of what a column refers to and referred to, as a field of their own.
    pub fn name(&mut self, column: &str, field: &str, names: &HashMap<Uuid, String>) {
        for object in [Some(&mut self.data), self.previous.as_mut()].into_iter().flatten() {
            if let Some(name) = reference(object, column).and_then(|id| names.get(&id)) {
                object.insert(field.to_owned(), Value::from(name.as_str()));
            }
        }
    }

    /// What a field of the object holds; an error if it does not hold such a value.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<T, db::Error> {
        let value = self.data.get(name).unwrap_or(&Value::Null);
        T::deserialize(value).map_err(|_| TAKE.unreadable(name))
    }

    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn occurred_at(&self) -> DateTime<Utc> {
        self.occurred_at
    }

    /// The account or API key that caused it.
    pub fn actor(&self) -> Option<Uuid> {
        self.actor_id
    }

    /// The kind of the object.
    pub fn subject_kind(&self) -> &str {
        self.kind.split_once('.').map_or("", |(kind, _)| kind)
    }

    /// Lets the customer who is this contact read the event.
    pub fn show_to(&mut self, contact: Option<Uuid>) {
        self.contact_id = contact;
    }
}

fn reference(object: &Map<String, Value>, column: &str) -> Option<Uuid> {
    object.get(column)?.as_str()?.parse().ok()
}

/// What a module adds to events of its objects, so that they can be read without asking again.
pub trait Describe: Send + Sync {
    /// Adds to what events contain. Runs in the transaction that publishes the events, as `appointd_worker`.
    fn describe<'a>(&'a self, tx: &'a mut Tx, events: &'a mut [Happened]) -> Describing<'a>;
}

pub type Describing<'a> = Pin<Box<dyn Future<Output = Result<(), db::Error>> + Send + 'a>>;

/// What a module does because of events.
pub trait Follow: Send + Sync {
    /// Runs in the transaction that publishes the events, after they were added, as `appointd_worker`.
    fn follow<'a>(&'a self, tx: &'a mut Tx, events: &'a [Happened]) -> Following<'a>;
}

pub type Following<'a> = Pin<Box<dyn Future<Output = Result<(), db::Error>> + Send + 'a>>;

/// Publishes events of all organizations.
#[derive(Clone)]
pub struct Publisher {
    db: WorkerDb,
    modules: Arc<[Arc<dyn Describe>]>,
    followers: Arc<[Arc<dyn Follow>]>,
}

impl Publisher {
    pub fn new(
        db: WorkerDb,
        modules: impl IntoIterator<Item = Arc<dyn Describe>>,
        followers: impl IntoIterator<Item = Arc<dyn Follow>>,
    ) -> Self {
        Self { db, modules: modules.into_iter().collect(), followers: followers.into_iter().collect() }
    }

    /// Publishes all events, of each organization one batch in turn, until nothing is left. Returns how many events
    /// it published.
    pub async fn publish_all(&self) -> Result<usize, db::Error> {
        let mut published = 0;
        loop {
            let in_this_round = self.round().await?;
            if in_this_round == 0 {
                return Ok(published);
            }
            published += in_this_round;
        }
    }

    /// Publishes one batch of each organization.
    async fn round(&self) -> Result<usize, db::Error> {
        let (mut after, mut published) = (None::<Uuid>, 0);
        loop {
            let sql = sql!("messaging/tenants_to_publish.sql" as (Uuid,));
            let tenants = self.db.gate_all(sql, &[&after, &MOST_TENANTS]).await?;
            for (tenant,) in &tenants {
                match self.publish(*tenant).await {
                    Ok(count) => published += count,
                    // Suspended meanwhile.
                    Err(db::Error::WrongHost) => {}
                    // That of one organization does not hold up the others; it is tried again in the next round.
                    Err(error) => tracing::warn!(%tenant, %error, "events could not be published"),
                }
            }
            match tenants.last() {
                Some((last,)) if tenants.len() == MOST_TENANTS as usize => after = Some(*last),
                _ => return Ok(published),
            }
        }
    }

    /// Publishes a batch of one organization; none if another publisher is at it.
    pub async fn publish(&self, tenant: Uuid) -> Result<usize, db::Error> {
        let mut tx = self.db.begin(tenant);
        let Some((last,)) = tx.optional(sql!("messaging/turns_lock.sql" as (i64,)), &[]).await? else {
            return Ok(0);
        };
        let mut events = tx.all(TAKE, &[&MOST_EVENTS]).await?;
        if events.is_empty() {
            return Ok(0);
        }
        for (event, position) in events.iter_mut().zip(last + 1..) {
            event.position = position;
            event.provider_id = event.reference("provider_id");
        }
        for module in self.modules.iter() {
            module.describe(&mut tx, &mut events).await?;
        }
        let newest = events.last().map_or(last, |event| event.position);
        tx.all(sql!("messaging/events_add.sql"), &[&Json(&events), &newest]).await?;
        for follower in self.followers.iter() {
            follower.follow(&mut tx, &events).await?;
        }
        tx.commit_with_all(sql!("messaging/webhook_deliveries_fan_out.sql"), &[&last, &newest]).await?;
        Ok(events.len())
    }
}
