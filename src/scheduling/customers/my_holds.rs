//! Holds of customers with an account.

use chrono::Utc;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    types::Example,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    my_appointment::{self, MyAppointment},
    my_appointments::contact,
};
use crate::{
    db::{Db, Params},
    http::{
        caller::{Customer, Member},
        if_match::IfMatch,
        json::{Created, Json, NoContent, OptionalJson},
        page::{Cursor, Ids, Page, Paging},
        problem::{ApiError, Deleting, Listing, Problem, Reading, Writing},
        values::{IdempotencyKey, Instant, Text},
    },
    messaging::mail::Mailer,
    operations::idempotency::Once,
    scheduling::{
        booking::{
            book::{Order, Who},
            claims::Labels,
            confirm::{self, Confirmation, HoldSelector},
            hold::{self, Hold},
            holds,
        },
        features::Appointments,
        slots::availability::Enforcement,
    },
    sql,
};

/// A new hold by a customer, for 10 minutes.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MyNewHold {
    pub service_id: Uuid,
    /// The provider. If omitted: the free provider with the fewest appointments that day.
    #[serde(default)]
    #[oai(nullable)]
    pub provider_id: Option<Uuid>,
    /// The start: one that `GET /api/v1/my/services/{service_id}/slots` lists.
    pub starts_at: Instant,
}

impl Example for MyNewHold {
    fn example() -> Self {
        serde_json::from_value(json!({
            "service_id": "019a9c3e-5a60-7c1e-9f6b-2f1f4a3d9b10",
            "starts_at": "2031-05-20T14:00:00Z",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Details for confirming a hold.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MyHoldConfirmation {
    /// A message for the organization, 1 to 500 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<Text<1, 500>>,
}

impl Example for MyHoldConfirmation {
    fn example() -> Self {
        Self { note: Text::parse("Second floor, please.").ok() }
    }
}

pub struct MyHoldsApi {
    pub db: Db,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1/my")]
impl MyHoldsApi {
    /// List my holds
    ///
    /// The customer's holds that have not expired, in the order in which they were created.
    #[oai(path = "/holds", method = "get", operation_id = "list_my_holds")]
    async fn list(
        &self,
        caller: Member<Customer>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<Page<Hold>>, ApiError<Listing>> {
        let sql = sql!("scheduling/holds_list_mine.sql" as Hold);
        let params: Params = &[&caller.account()?, &page.after_id(), &page.rows(), &ids.0];
        let holds = self.db.all(&caller, sql, params).await?;
        Ok(Json(page.of(holds, |last| Cursor::id(last.id))))
    }

    /// Hold a slot for myself
    ///
    /// Reserves a free slot for 10 minutes. Confirming the hold before it expires always succeeds. Errors are those of
    /// booking. 409 `too_many_holds` if the customer has three holds. 409 `slot_unavailable` or `contact_busy` if the
    /// time is taken.
    #[oai(path = "/holds", method = "post", operation_id = "create_my_hold")]
    async fn hold(
        &self,
        caller: Member<Customer, Appointments>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<MyNewHold>,
    ) -> Result<Created<Hold>, ApiError<Writing>> {
        let id = Uuid::now_v7();
        let context = caller.about(id)?;
        let once = Once::new(&context, "create_my_hold", idempotency_key.0, &body.0)?;
        let order = Order {
            id: Some(id),
            services: vec![body.0.service_id],
            provider: body.0.provider_id,
            start: body.0.starts_at.0,
            who: Who::Unknown,
            note: None,
            labels: Labels::default(),
            policy: Enforcement::Full,
            online: true,
            guest: None,
        };
        let minutes = holds::DEFAULT_MINUTES;
        let (db, mailer) = (&self.db, &self.mailer);
        let hold = holds::hold(db, mailer, context, &order, minutes, &once, Utc::now()).await?;
        Ok(once.created(format!("/api/v1/my/holds/{}", hold.id), hold))
    }

    /// Get a hold of mine
    ///
    /// 404 after it has expired.
    #[oai(path = "/holds/:hold_id", method = "get", operation_id = "get_my_hold")]
    async fn get_hold(
        &self,
        caller: Member<Customer>,
        hold_id: Path<Uuid>,
    ) -> Result<Json<Hold>, ApiError<Reading>> {
        let hold = self.db.optional(&caller, hold::GET, &[&hold_id.0]).await?;
        Ok(Json(hold.ok_or_else(Problem::not_found)?))
    }

    /// Release a hold of mine
    ///
    /// Frees its time immediately, or offers it to the waitlist.
    #[oai(path = "/holds/:hold_id", method = "delete", operation_id = "release_my_hold")]
    async fn release(
        &self,
        caller: Member<Customer>,
        hold_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let (context, id) = (caller.about(hold_id.0)?, hold_id.0);
        holds::release(&self.db, &self.mailer, context, id, &if_match.on()).await?;
        Ok(NoContent)
    }

    /// Confirm a hold of mine
    ///
    /// Turns the hold into an appointment with the same id, which is `pending` if the service requires approval. The
    /// body is optional. 409 `hold_expired` or 404 after it has expired. 409 `contact_busy` if the customer has another
    /// appointment at that time. 409 `already_booked` if you have a seat in the session.
    #[oai(path = "/holds/:hold_id/confirm", method = "post", operation_id = "confirm_my_hold")]
    async fn confirm(
        &self,
        caller: Member<Customer, Appointments>,
        hold_id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: OptionalJson<MyHoldConfirmation>,
    ) -> Result<Created<MyAppointment>, ApiError<Writing>> {
        let context = caller.about(hold_id.0)?;
        let once = Once::new(&context, "confirm_my_hold", idempotency_key.0, &(hold_id.0, &body.0))?;
        let hold = self.db.optional(context, hold::GET, &[&hold_id.0]).await?;
        if hold.is_none() {
            // A hold that was already confirmed is gone; its appointment is returned.
            let confirmed = self.db.optional(context, confirm::GET_CONFIRMED, &[&hold_id.0]).await?;
            confirmed.ok_or_else(Problem::not_found)?;
        }
        let confirmation = Confirmation {
            held: HoldSelector::By(hold_id.0, if_match.on()),
            who: Who::Known(contact(&self.db, context).await?),
            note: body.0.note.as_deref(),
            guest: None,
            once: &once,
        };
        let (appointment, replayed) =
            confirm::confirm_alone(&self.db, &self.mailer, context, &confirmation).await?;
        let location = format!("/api/v1/my/appointments/{}", appointment.id);
        let body = my_appointment::get(&self.db, context, appointment.id).await?;
        Ok(Created { location, body, replayed })
    }
}
