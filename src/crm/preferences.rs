//! What contacts want to be told: the operations for staff and for customers, and the links at the end of messages.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use poem_openapi::{Object, OpenApi, param::Path, types::Example};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::contacts;
use crate::{
    db::{self, Context, Db, FrontDoor, Params, Pass, Sql, row},
    http::{
        caller::{Customer, Member, Staff, Viewer},
        if_match::{IfMatch, Single},
        json::{Json, present},
        problem::{ApiError, Failure, Problem, Reading, Writing},
        values::named_enum,
    },
    sql,
};

named_enum! {
    /// Messages that can be switched off.
    MessageKind {
        /// Before an appointment.
        Reminders = "reminders",
        /// After an appointment.
        Thanks = "thanks",
    }
}

/// What a contact wants to be told. E-mails about bookings, moves and cancellations cannot be switched off.
#[derive(Debug, Object, Serialize)]
pub struct MessagePreferences {
    /// Whether they get reminders of their appointments.
    pub reminders: bool,
    /// Whether they are thanked after an appointment.
    pub thanks: bool,
}

row! {
    MessagePreferences { reminders, thanks }
}

/// Changes to what a contact wants to be told. Omitted fields are kept.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MessagePreferencesChanges {
    #[serde(default, deserialize_with = "present")]
    pub reminders: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub thanks: Option<bool>,
}

impl Example for MessagePreferencesChanges {
    fn example() -> Self {
        Self { reminders: None, thanks: Some(false) }
    }
}

const GET: Sql<MessagePreferences> = sql!("crm/preferences_get.sql" as MessagePreferences);

const SINGLE: Single<MessagePreferences> = Single::new(sql!("crm/preferences_lock_row.sql"), GET);

pub struct PreferencesApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl PreferencesApi {
    /// Get the message preferences of a contact
    #[oai(
        path = "/contacts/:contact_id/message-preferences",
        method = "get",
        operation_id = "get_contact_message_preferences"
    )]
    async fn get(
        &self,
        caller: Member<Viewer>,
        contact_id: Path<Uuid>,
    ) -> Result<Json<MessagePreferences>, ApiError<Reading>> {
        let preferences = self.0.optional(&caller, GET, &[&contact_id.0]).await?;
        Ok(Json(preferences.ok_or_else(Problem::not_found)?))
    }

    /// Change the message preferences of a contact
    #[oai(
        path = "/contacts/:contact_id/message-preferences",
        method = "patch",
        operation_id = "update_contact_message_preferences"
    )]
    async fn update(
        &self,
        caller: Member<Staff>,
        contact_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<MessagePreferencesChanges>,
    ) -> Result<Json<MessagePreferences>, ApiError<Writing>> {
        Ok(Json(self.change(Context::from(&caller), contact_id.0, &if_match, &body.0).await?))
    }

    /// Get your message preferences
    ///
    /// What the customer wants to be told by the organization of the token. 404 if no contact is linked to the account.
    #[oai(path = "/my/message-preferences", method = "get", operation_id = "get_my_message_preferences")]
    async fn get_mine(
        &self,
        caller: Member<Customer>,
    ) -> Result<Json<MessagePreferences>, ApiError<Reading>> {
        let context = Context::from(&caller);
        let contact = self.own(context, caller.account()?).await?;
        let preferences = self.0.optional(context, GET, &[&contact]).await?;
        Ok(Json(preferences.ok_or_else(Problem::not_found)?))
    }

    /// Change your message preferences
    ///
    /// 404 if no contact is linked to the account.
    #[oai(path = "/my/message-preferences", method = "patch", operation_id = "update_my_message_preferences")]
    async fn update_mine(
        &self,
        caller: Member<Customer>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<MessagePreferencesChanges>,
    ) -> Result<Json<MessagePreferences>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let contact = self.own(context, caller.account()?).await?;
        Ok(Json(self.change(context, contact, &if_match, &body.0).await?))
    }
}

impl PreferencesApi {
    /// The contact of a customer.
    async fn own(&self, context: Context, account: Uuid) -> Result<Uuid, Failure> {
        let mut tx = self.0.begin(context);
        let contact = contacts::of_account(&mut tx, account).await?;
        tx.commit().await?;
        Ok(contact.ok_or_else(Problem::not_found)?)
    }

    async fn change(
        &self,
        context: Context,
        contact: Uuid,
        if_match: &IfMatch,
        changes: &MessagePreferencesChanges,
    ) -> Result<MessagePreferences, Failure> {
        let sql = sql!("crm/preferences_update.sql" as MessagePreferences);
        let params: Params<'_> = &[&contact, &changes.reminders, &changes.thanks];
        let changed = if_match.change(&self.0, context, (&SINGLE, &[&contact]), sql, params).await?;
        Ok(changed.ok_or_else(Problem::not_found)?)
    }
}

/// A link that switches off one kind of messages to one contact. It needs no session: it has a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeLink {
    pub kind: MessageKind,
    pub organization: Uuid,
    pub contact: Uuid,
    pub proof: Pass,
}

impl UnsubscribeLink {
    /// The path of its page: the ids and the proof in base64url.
    pub fn path(&self) -> String {
        let bytes = [self.organization.as_bytes(), self.contact.as_bytes(), &self.proof.0[..]].concat();
        format!("unsubscribe/{}/{}", self.kind.name(), URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads the parts of a path.
    pub fn read(kind: &str, token: &str) -> Option<Self> {
        let kind = MessageKind::ALL.iter().find(|known| known.name() == kind)?;
        let bytes: [u8; 48] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (ids, proof) = bytes.split_at(32);
        let (organization, contact) = ids.split_at(16);
        Some(Self {
            kind: *kind,
            organization: Uuid::from_slice(organization).ok()?,
            contact: Uuid::from_slice(contact).ok()?,
            proof: Pass::read(proof)?,
        })
    }

    /// Whether it is valid: the slug of the organization.
    pub async fn look(&self, door: &FrontDoor) -> Result<Option<String>, db::Error> {
        self.call(door, true).await
    }

    /// Switches the messages off; as often as one likes. Returns the slug of the organization if the link is valid.
    pub async fn unsubscribe(&self, door: &FrontDoor) -> Result<Option<String>, db::Error> {
        self.call(door, false).await
    }

    async fn call(&self, door: &FrontDoor, only_look: bool) -> Result<Option<String>, db::Error> {
        let Self { kind, organization, contact, proof } = self;
        let sql = sql!("crm/preferences_unsubscribe.sql" as (Option<String>,));
        let proof = proof.0.as_slice();
        let params: Params<'_> = &[organization, contact, &kind.name(), &proof, &only_look];
        Ok(door.gate(sql, params).await?.0)
    }
}
