//! Series: recurring appointments, booked in one transaction. They keep the time of day in one time zone across clock
//! changes.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    appointment::{Appointment, WholeAppointment},
    attempts::attempt,
    book::{self, Who},
    claims::{self, Booking, Labels},
    occurrences::{OccurrenceTemplate, Refused, plan},
    transaction::{Locks, seat_seed},
};
use crate::{
    crm::contacts::{self, NewContact},
    db::{Context, Db, Params, Tx, row},
    http::{
        caller::{Member, Staff, Viewer},
        json::{Created, Json, or_default},
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Number, Text, TimeZone, named_enum},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        features::Appointments,
        hours::wall_time,
        slots::{availability::Enforcement, setback::Setback, unknown_ids::NamedIds},
    },
    sql,
    tenancy::organizations,
};

/// The maximum time from the first to the last appointment of a series.
const LONGEST: TimeDelta = TimeDelta::days(3 * 366);

/// The last day that every month has.
const LAST_DAY: u32 = 28;

named_enum! {
    /// The frequency of a series.
    Frequency {
        Daily = "daily",
        Weekly = "weekly",
        Monthly = "monthly",
    }
}

/// A series of recurring appointments.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct Series {
    pub id: Uuid,
    pub frequency: Frequency,
    /// The interval in days, weeks or months.
    pub every: i16,
    /// The number of appointments that were booked.
    pub count: i16,
    /// The IANA time zone in which all appointments were booked for the same time of day.
    pub time_zone: String,
    /// The appointments of the series, including cancelled ones, in the order of their occurrences.
    pub appointments: Vec<Appointment>,
}

row! {
    Series { id, frequency, every, count = occurrences, time_zone; appointments: Vec::new() }
}

/// A series in a list, without its appointments.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct ListedSeries {
    pub id: Uuid,
    pub frequency: Frequency,
    /// The interval in days, weeks or months.
    pub every: i16,
    /// The number of appointments that were booked.
    pub count: i16,
    /// The IANA time zone in which all appointments were booked for the same time of day.
    pub time_zone: String,
    pub created_at: DateTime<Utc>,
}

row! {
    ListedSeries { id, frequency, every, count = occurrences, time_zone, created_at }
}

/// A new series.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewSeries {
    pub service_id: Uuid,
    /// The provider of all appointments. Defaults to a provider who is free for all of them.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The first start.
    pub starts_at: Instant,
    pub frequency: Frequency,
    /// The interval in days, weeks or months, 1 to 52. Defaults to 1.
    #[serde(default)]
    #[oai(nullable)]
    pub every: Option<Number<1, 52>>,
    /// The number of appointments, 2 to 104, within three years.
    pub count: Number<2, 104>,
    /// The IANA time zone in which all appointments start at the same time of day. Defaults to the organization's time
    /// zone.
    #[serde(default)]
    #[oai(nullable)]
    pub time_zone: Option<TimeZone>,
    /// An existing contact. Send either `contact_id` or `contact`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact_id: Option<Uuid>,
    /// A new contact. Send either `contact_id` or `contact`.
    #[serde(default)]
    #[oai(nullable)]
    pub contact: Option<NewContact>,
    /// A note of the organization for each appointment, 1 to 2,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 2000>>,
    /// Whether to ignore the rules for notice, horizon, hours, grid, limits and approval. Taken time still cannot be
    /// booked. Defaults to `false`.
    #[serde(default, deserialize_with = "or_default")]
    #[oai(default, nullable)]
    pub override_rules: bool,
}

impl Example for NewSeries {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2031-05-20T14:00:00Z",
            "frequency": "weekly",
            "count": 6,
            "contact": NewContact::example(),
        }))
        .expect("the example follows the rules it is an example of")
    }
}

impl NewSeries {
    fn template(&self) -> Result<OccurrenceTemplate, Problem> {
        let contact = match book::who(self.contact_id, self.contact.as_ref())? {
            Who::Known(contact) => Some(contact),
            Who::New(_) | Who::Unknown => None,
        };
        let policy = book::policy(self.override_rules);
        Ok(OccurrenceTemplate { service: self.service_id, provider: self.provider_id, contact, policy })
    }

    /// The starts, at the same time of day in this time zone.
    fn starts(&self, zone: Tz) -> Result<Vec<DateTime<Utc>>, Problem> {
        let first = self.starts_at.0;
        let date = wall_time::date(zone, first);
        if self.frequency == Frequency::Monthly && date.day() > LAST_DAY {
            let detail = "expected a day that every month has: the 28th at the latest";
            return Err(Problem::invalid_field("starts_at", "invalid_value", detail));
        }
        let every = self.every.map_or(1, |every| every.0.unsigned_abs());
        let mut starts = vec![first];
        for occurrence in 1..self.count.0.unsigned_abs() {
            let start = self
                .nth(date, occurrence * every)
                .map(|date| wall_time::same_time_on(zone, date, first))
                .filter(|start| *start - first <= LONGEST)
                .ok_or_else(|| {
                    let detail = "expected fewer appointments: the last within three years of the first";
                    Problem::invalid_field("count", "period_too_long", detail)
                })?;
            starts.push(start);
        }
        Ok(starts)
    }

    fn nth(&self, date: NaiveDate, steps: u32) -> Option<NaiveDate> {
        match self.frequency {
            Frequency::Daily => date.checked_add_days(Days::new(steps.into())),
            Frequency::Weekly => date.checked_add_days(Days::new(u64::from(steps) * 7)),
            Frequency::Monthly => date.checked_add_months(Months::new(steps)),
        }
    }
}

pub struct SeriesApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1")]
impl SeriesApi {
    /// List series
    ///
    /// All series, without their appointments, in the order in which they were created. The appointments of one are
    /// listed by `GET /api/v1/appointments?series_id=…`.
    #[oai(path = "/appointment-series", method = "get", operation_id = "list_appointment_series")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only series with an appointment of this contact.
        contact_id: Query<Option<Uuid>>,
        /// Only series booked at or after this instant: the `as_of` of the first page of the previous list.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<ListedSeries>>, ApiError<Listing>> {
        let as_of = self.db.as_of().await?;
        let since = updated_since.0.map(|instant| instant.0);
        let params: Params = &[&page.after_id(), &page.rows(), &ids.0, &contact_id.0, &since];
        let series = self.db.all(&caller, sql!("scheduling/series_list.sql" as ListedSeries), params).await?;
        Ok(Json(page.of(series, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Book a series
    ///
    /// Books a recurring series atomically, at the same local time across DST changes. Errors are those of booking an
    /// appointment; `errors` names every occurrence that cannot be booked, counted from 1, such as `occurrences[3]`.
    /// `alternatives` are starts near the first of these. Each appointment can be moved and cancelled separately, or
    /// with `following` together with all later ones. 409 `slot_unavailable` or `contact_busy` if an occurrence cannot
    /// be booked. 409 `already_booked` if the contact has a seat in a session.
    #[oai(path = "/appointment-series", method = "post", operation_id = "create_appointment_series")]
    async fn create(
        &self,
        caller: Member<Staff, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewSeries>,
    ) -> Result<Created<Series>, ApiError<Writing>> {
        let now = Utc::now();
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_appointment_series", idempotency_key.0, &body.0)?;
        let wanted = body.0.template()?;
        let booked = attempt(&self.db, &self.mailer, context, |tx, number| {
            book(tx, &body.0, &wanted, &once, now, seat_seed(number))
        });
        let ids = NamedIds::of(vec![body.0.service_id], body.0.provider_id, body.0.contact_id);
        let series = match ids.named(&self.db, context, booked.await).await? {
            Ok(series) => series,
            Err(refused) => Err(refused.with_alternatives(&self.db, context, &wanted, now).await)?,
        };
        Ok(once.created(format!("/api/v1/appointment-series/{}", series.id), series))
    }

    /// Get a series
    #[oai(path = "/appointment-series/:series_id", method = "get", operation_id = "get_appointment_series")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        series_id: Path<Uuid>,
    ) -> Result<Json<Series>, ApiError<Reading>> {
        let mut tx = self.db.begin(&caller);
        let series = tx
            .optional(sql!("scheduling/series_get.sql" as Series), &[&series_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        let sql = sql!("scheduling/series_appointments.sql" as WholeAppointment);
        let appointments = tx.all(sql, &[&series_id.0]).await?;
        tx.commit().await?;
        Ok(Json(Series { appointments: appointments.into_iter().map(Appointment::from).collect(), ..series }))
    }
}

async fn book(
    mut tx: Tx,
    new: &NewSeries,
    wanted: &OccurrenceTemplate,
    once: &Once,
    now: DateTime<Utc>,
    seat_seed: usize,
) -> Result<Result<Series, Refused>, Setback> {
    if let Some(answer) = once.answered(&mut tx).await? {
        tx.commit().await?;
        return Ok(Ok(answer));
    }
    let zone = match new.time_zone {
        Some(zone) => zone.0,
        None => organizations::time_zone(&mut tx).await?.0,
    };
    let starts = new.starts(zone)?.into();
    let policy = wanted.policy;
    let locks = Locks {
        services: vec![wanted.service],
        any_provider: wanted.provider.is_none(),
        resources: wanted.provider.into_iter().chain(wanted.contact).collect(),
        ..Locks::default()
    };
    locks.take(&mut tx).await?;
    let (availability, plans) = match plan(&mut tx, wanted, &starts, seat_seed, now).await? {
        Ok(planned) => planned,
        Err(refused) => return Ok(Err(refused)),
    };
    let contact = match book::who(new.contact_id, new.contact.as_ref())? {
        Who::Known(contact) => contact,
        Who::New(contact) => contacts::create(&mut tx, contact).await?,
        Who::Unknown => Err(Problem::internal())?,
    };
    let id = Uuid::now_v7();
    let every = i16::try_from(new.every.map_or(1, |every| every.0)).unwrap_or(1);
    let count = i16::try_from(plans.len()).unwrap_or(i16::MAX);
    tx.all(sql!("scheduling/series_create.sql"), &[&id, &new.frequency.name(), &every, &count, &zone.name()])
        .await?;
    let bookings: Vec<_> = (1..)
        .zip(&plans)
        .map(|(occurrence, plan)| Booking {
            id: Uuid::now_v7(),
            contact,
            status: book::status(&availability, policy),
            note: new.note.as_deref(),
            labels: Labels::default(),
            overridden: policy == Enforcement::ClaimsOnly,
            occurrence: Some((id, occurrence)),
            guest_key: None,
            plan,
        })
        .collect();
    let claims_contact = availability.claims_contact();
    let appointments = claims::create(&mut tx, &bookings, contact, claims_contact).await?;
    let series = Series {
        id,
        frequency: new.frequency,
        every,
        count,
        time_zone: zone.name().to_owned(),
        appointments,
    };
    once.keep(&mut tx, &series).await?;
    tx.commit().await?;
    Ok(Ok(series))
}
