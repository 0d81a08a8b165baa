//! The operations that read and replace a provider's schedule, and the rows of schedules.

use chrono::NaiveDate;
use chrono_tz::Tz;
use poem_openapi::{OpenApi, param::Path};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    schedule::Schedule,
    working_hours::{Hours, Rule, Span, ZoneOverride},
};
use crate::{
    db::{Context, Db, Tx},
    http::{
        caller::{Manager, Member, Viewer},
        json::Json,
        problem::{ApiError, Failure, OnConstraint as _, Problem, Reading, Writing},
    },
    sql,
};

pub struct SchedulesApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl SchedulesApi {
    /// Get a provider's schedule
    ///
    /// 404 if the provider does not exist or has no schedule yet.
    #[oai(path = "/providers/:provider_id/schedule", method = "get", operation_id = "get_schedule")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        provider_id: Path<Uuid>,
    ) -> Result<Json<Schedule>, ApiError<Reading>> {
        let row = self
            .0
            .optional(&caller, sql!("scheduling/schedules_get.sql"), &[&provider_id.0])
            .await?
            .ok_or_else(Problem::not_found)?;
        let hours = hours(&row, 0)?.ok_or_else(Problem::not_found)?;
        Ok(Json(Schedule::from(hours)))
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
        body: Json<Schedule>,
    ) -> Result<Json<Schedule>, ApiError<Writing>> {
        let schedule = body.0;
        let errors = schedule.validate();
        if !errors.is_empty() {
            Err(Problem::invalid(errors))?;
        }
        set(&self.0, (&caller).into(), provider_id.0, &schedule).await?;
        Ok(Json(Schedule::from(schedule.hours())))
    }
}

/// Replaces the schedule of a provider. Writes the row of the schedule first, so that concurrent replacements wait for
/// each other and are not mixed.
pub async fn set(db: &Db, context: Context, provider: Uuid, schedule: &Schedule) -> Result<(), Failure> {
    db.attempt(context, |tx, _| replace(tx, provider, schedule)).await
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

/// Reads the hours from a row with these columns from `at` on: time zone; weekdays, first and end minutes, first and
/// last dates of rules; dates and intervals of overrides; first and last dates and time zones of time-zone overrides.
/// `None` if the provider has no schedule.
pub fn hours(row: &Row, at: usize) -> Result<Option<Hours>, Failure> {
    let Some(zone) = row.get::<_, Option<&str>>(at) else {
        return Ok(None);
    };
    let zone = known_zone(zone)?;
    let weekdays: Vec<i16> = row.get(at + 1);
    let valid_from: Vec<NaiveDate> = row.get(at + 4);
    let valid_until: Vec<NaiveDate> = row.get(at + 5);
    let rules = weekdays
        .into_iter()
        .zip(spans(row.get(at + 2), row.get(at + 3)))
        .zip(valid_from.into_iter().zip(valid_until))
        .map(|((weekday, span), (valid_from, valid_until))| Rule { weekday, span, valid_from, valid_until });
    let dates: Vec<NaiveDate> = row.get(at + 6);
    let intervals: Vec<serde_json::Value> = row.get(at + 7);
    let overrides = dates.into_iter().zip(intervals).map(|(date, columns)| {
        let [from, to]: [Vec<i16>; 2] = serde_json::from_value(columns).unwrap_or_default();
        (date, spans(from, to).collect())
    });
    let starts_on: Vec<NaiveDate> = row.get(at + 8);
    let ends_on: Vec<NaiveDate> = row.get(at + 9);
    let zones: Vec<&str> = row.get(at + 10);
    let zone_overrides: Result<Vec<_>, Problem> = starts_on
        .into_iter()
        .zip(ends_on)
        .zip(zones)
        .map(|((starts_on, ends_on), zone)| Ok(ZoneOverride { starts_on, ends_on, zone: known_zone(zone)? }))
        .collect();
    Ok(Some(Hours {
        zone,
        rules: rules.collect(),
        overrides: overrides.collect(),
        zone_overrides: zone_overrides?,
    }))
}

fn known_zone(name: &str) -> Result<Tz, Problem> {
    name.parse().map_err(|_| {
        // Only valid names are stored, so this program's time zone database lacks a zone that an earlier one had.
        tracing::error!(time_zone = name, "a schedule is in an unknown time zone");
        Problem::internal()
    })
}

fn spans(from: Vec<i16>, to: Vec<i16>) -> impl Iterator<Item = Span> {
    from.into_iter().zip(to).map(|(from, to)| Span { from, to })
}
