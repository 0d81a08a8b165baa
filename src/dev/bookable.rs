//! Objects and a slot of the demo data, for examples that can be sent.

use std::error::Error;

use chrono::{DateTime, Days, SecondsFormat, Utc};
use uuid::Uuid;

use crate::{
    db::{self, Context, Db, row},
    scheduling::slots::{
        listing::People,
        load::{self, AvailabilityQuery},
    },
    sql,
};

pub(super) struct Objects {
    pub service_id: Option<Uuid>,
    pub contact_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    /// A confirmed appointment to come.
    pub appointment_id: Option<Uuid>,
}

row! {
    Objects { service_id, contact_id, resource_id, appointment_id }
}

/// The first object of each kind.
pub(super) async fn objects(db: &Db, context: Context) -> Result<Objects, db::Error> {
    db.one(context, sql!("scheduling/example_objects.sql" as Objects), &[&Utc::now()]).await
}

pub(super) struct Bookable {
    pub service: Uuid,
    pub provider: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// A slot of a service that can be booked within two weeks.
pub(super) async fn bookable(
    db: &Db,
    context: Context,
    service: Uuid,
) -> Result<Option<Bookable>, Box<dyn Error + Send + Sync>> {
    let now = Utc::now();
    let (from, to) = (now + Days::new(1), now + Days::new(15));
    let services = [service];
    let query =
        AvailabilityQuery { services: &services, providers: &[], contacts: &[], from, to, ignored: &[], now };
    let mut tx = db.begin(context);
    let availability = load::to_list(&mut tx, &query).await.map_err(|failure| format!("{failure:?}"))?;
    tx.commit().await?;
    let slots = availability.slots(from, to, People::default(), availability.zone, false).unwrap_or_default();
    Ok(slots.first().and_then(|slot| {
        let provider = *slot.provider_ids.first()?;
        Some(Bookable { service, provider, starts_at: slot.starts_at, ends_at: slot.ends_at })
    }))
}

/// As in JSON.
pub(super) fn written(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}
