//! The operations that read and replace a provider's schedule, and the rows of schedules.

use chrono::NaiveDate;
use poem_openapi::{OpenApi, param::Path};
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::{
    schedule::Schedule,
    working_hours::{Hours, Rule, Span, ZoneOverride},
};
use crate::{
    db::{Context, Db, Sql, Tx, row},
    http::{
        caller::{Manager, Member, Viewer},
        conditional,
        if_match::IfMatch,
        json::Json,
        problem::{ApiError, Failure, OnConstraint as _, Problem, Reading, Writing},
        values::TimeZone,
    },
    sql,
};

/// No row if the provider does not exist.
const GET: Sql<HoursRow> = sql!("scheduling/schedules_get.sql" as HoursRow);

pub struct SchedulesApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl SchedulesApi {
    /// Get a provider's schedule
    ///
    /// The schedule of a provider without one is empty, in the organization's time zone.
    #[oai(path = "/providers/:provider_id/schedule", method = "get", operation_id = "get_schedule")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        provider_id: Path<Uuid>,
    ) -> Result<Json<Schedule>, ApiError<Reading>> {
        let hours = self.0.optional(&caller, GET, &[&provider_id.0]).await?;
        Ok(Json(Schedule::from(Hours::from(hours.ok_or_else(Problem::not_found)?))))
    }

    /// Set a provider's schedule
    ///
    /// Replaces the whole schedule. Existing appointments are kept, even outside the new hours.
    ///
    /// Times are local times in the schedule's time zone. When clocks go forward, a skipped time means the instant of
    /// the change. When clocks go back, a time that occurs twice means the first of the two. Durations are elapsed
    /// time.
    #[oai(path = "/providers/:provider_id/schedule", method = "put", operation_id = "set_schedule")]
    async fn set(
        &self,
        caller: Member<Manager>,
        provider_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<Schedule>,
    ) -> Result<Json<Schedule>, ApiError<Writing>> {
        let schedule = body.0;
        let errors = schedule.validate();
        if !errors.is_empty() {
            Err(Problem::invalid(errors))?;
        }
        set(&self.0, (&caller).into(), provider_id.0, &schedule, &if_match).await?;
        Ok(Json(Schedule::from(schedule.hours())))
    }
}

/// Replaces the schedule of a provider. Writes the row of the schedule first, so that concurrent replacements wait for
/// each other and are not mixed.
pub async fn set(
    db: &Db,
    context: Context,
    provider: Uuid,
    schedule: &Schedule,
    if_match: &IfMatch,
) -> Result<(), Failure> {
    db.attempt(context, async |mut tx: Tx, _| -> Result<(), Failure> {
        let was_set = !tx.all(sql!("scheduling/schedules_lock_row.sql"), &[&provider]).await?.is_empty();
        let hours = tx.optional(GET, &[&provider]).await?.ok_or_else(Problem::not_found)?;
        let current = Schedule::from(Hours::from(hours));
        if_match.matches(&current)?;
        // A schedule that equals the current one changes nothing.
        let wanted = Schedule::from(schedule.hours());
        if was_set && conditional::etag_of(&current)? == conditional::etag_of(&wanted)? {
            return Ok(tx.commit().await?);
        }
        replace(tx, provider, schedule).await
    })
    .await
}

async fn replace(mut tx: Tx, provider: Uuid, schedule: &Schedule) -> Result<(), Failure> {
    tx.one(sql!("scheduling/schedules_set.sql"), &[&provider, &schedule.time_zone.name()])
        .await
        .on_constraint("schedules_provider_fkey", Problem::not_found)?;
    tx.all(sql!("scheduling/schedule_rules_clear.sql"), &[&provider]).await?;
    tx.all(sql!("scheduling/schedule_overrides_clear.sql"), &[&provider]).await?;
    tx.all(sql!("scheduling/schedule_travels_clear.sql"), &[&provider]).await?;
    let hours = schedule.hours();
    let weekdays: Vec<i16> = hours.rules.iter().map(|rule| rule.weekday).collect();
    let spans: Vec<Span> = hours.rules.iter().map(|rule| rule.span).collect();
    let valid_from: Vec<NaiveDate> = hours.rules.iter().map(|rule| rule.valid_from).collect();
    let valid_until: Vec<NaiveDate> = hours.rules.iter().map(|rule| rule.valid_until).collect();
    let (from, to) = columns(&spans);
    tx.all(
        sql!("scheduling/schedule_rules_add.sql"),
        &[&provider, &weekdays, &from, &to, &valid_from, &valid_until],
    )
    .await?;
    let starts_on: Vec<NaiveDate> = hours.zone_overrides.iter().map(|other| other.starts_on).collect();
    let ends_on: Vec<NaiveDate> = hours.zone_overrides.iter().map(|other| other.ends_on).collect();
    let zones: Vec<&str> = hours.zone_overrides.iter().map(|other| other.zone.name()).collect();
    tx.all(sql!("scheduling/schedule_travels_add.sql"), &[&provider, &starts_on, &ends_on, &zones]).await?;
    let (dates, intervals): (Vec<NaiveDate>, Vec<_>) =
        hours.overrides.iter().map(|(date, spans)| (*date, serde_json::json!(columns(spans)))).unzip();
    tx.commit_with(sql!("scheduling/schedule_overrides_add.sql"), &[&provider, &dates, &intervals]).await?;
    Ok(())
}

fn columns(spans: &[Span]) -> (Vec<i16>, Vec<i16>) {
    spans.iter().map(|span| (span.from, span.to)).unzip()
}

/// The hours of a provider, as statements return them.
pub struct HoursRow {
    time_zone: TimeZone,
    weekdays: Vec<i16>,
    from_minutes: Vec<i16>,
    to_minutes: Vec<i16>,
    valid_from: Vec<NaiveDate>,
    valid_until: Vec<NaiveDate>,
    dates: Vec<NaiveDate>,
    /// For each date, the first minutes of the intervals.
    override_from: Vec<Minutes>,
    /// For each date, their end minutes.
    override_to: Vec<Minutes>,
    starts_on: Vec<NaiveDate>,
    ends_on: Vec<NaiveDate>,
    time_zones: Vec<TimeZone>,
}

row! {
    HoursRow {
        time_zone, weekdays, from_minutes, to_minutes, valid_from, valid_until, dates, override_from, override_to,
        starts_on, ends_on, time_zones
    }
}

/// An array of `smallint` that a statement returns in its binary form (`scheduling.binary_form`).
struct Minutes(Vec<i16>);

impl<'a> FromSql<'a> for Minutes {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Vec::from_sql(&Type::INT2_ARRAY, FromSql::from_sql(ty, raw)?).map(Self)
    }

    fn accepts(ty: &Type) -> bool {
        <&[u8] as FromSql>::accepts(ty)
    }
}

impl From<HoursRow> for Hours {
    fn from(row: HoursRow) -> Self {
        let seasons = row.valid_from.into_iter().zip(row.valid_until);
        let rules = row.weekdays.into_iter().zip(spans(row.from_minutes, row.to_minutes)).zip(seasons);
        let rules = rules.map(|((weekday, span), (valid_from, valid_until))| Rule {
            weekday,
            span,
            valid_from,
            valid_until,
        });
        let overrides = row.dates.into_iter().zip(row.override_from.into_iter().zip(row.override_to));
        let overrides = overrides.map(|(date, (from, to))| (date, spans(from.0, to.0).collect()));
        let zones = row.starts_on.into_iter().zip(row.ends_on).zip(row.time_zones);
        let zones =
            zones.map(|((starts_on, ends_on), zone)| ZoneOverride { starts_on, ends_on, zone: zone.0 });
        Self {
            zone: row.time_zone.0,
            rules: rules.collect(),
            overrides: overrides.collect(),
            zone_overrides: zones.collect(),
        }
    }
}

fn spans(from: Vec<i16>, to: Vec<i16>) -> impl Iterator<Item = Span> {
    from.into_iter().zip(to).map(|(from, to)| Span { from, to })
}
