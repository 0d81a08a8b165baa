//! Contacts: the people an organization deals with, such as customers, patients and leads.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json as AsJson;
use uuid::Uuid;

use crate::{
    db::{self, Context, Db, Params, Sql, Tx, row},
    http::{
        caller::{Manager, Member, Staff, Viewer},
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        name::Name,
        page::{Cursor, Ids, PageAsOf, Paging},
        problem::{ApiError, Deleting, Listing, OnConstraint as _, Problem, Reading, Writing},
        values::{EmailAddress, IdempotencyKey, Instant, Metadata, Text},
    },
    operations::idempotency::Once,
    sql,
};

/// A person the organization deals with.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Contact {
    pub id: Uuid,
    pub first_name: String,
    pub last_name: String,
    /// The e-mail address in lower case; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The telephone number as the person writes it; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The contact's account; absent if they have not accepted an invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Uuid>,
    /// The id in another system; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What other programs note about the contact; absent if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    Contact {
        id, first_name, last_name, email, phone, account_id, external_id, metadata as json, created_at, updated_at
    }
}

/// A new contact.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewContact {
    pub first_name: Name<100>,
    pub last_name: Name<100>,
    #[serde(default)]
    #[oai(nullable)]
    pub email: Option<EmailAddress>,
    /// The telephone number as the person writes it, 1 to 50 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub phone: Option<Text<1, 50>>,
}

impl Example for NewContact {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "first_name": "Grace",
            "last_name": "Hopper",
            "email": "grace.hopper@example.com",
            "phone": "+1 555 0100",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// A new contact, with what other systems know about it.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewContactRecord {
    pub first_name: Name<100>,
    pub last_name: Name<100>,
    #[serde(default)]
    #[oai(nullable)]
    pub email: Option<EmailAddress>,
    /// The telephone number as the person writes it, 1 to 50 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub phone: Option<Text<1, 50>>,
    /// The id in another system, 1 to 200 characters. Unique among the contacts of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub external_id: Option<Text<1, 200>>,
    /// What other programs note about the contact: at most 20 pairs. Keys have 1 to 40 of `A-Z a-z 0-9 _ . -`.
    #[serde(default)]
    #[oai(nullable)]
    pub metadata: Option<Metadata>,
}

impl Example for NewContactRecord {
    fn example() -> Self {
        let NewContact { first_name, last_name, email, phone } = NewContact::example();
        Self { first_name, last_name, email, phone, external_id: None, metadata: None }
    }
}

/// Changes to a contact. Omitted fields are kept; `null` removes what can be absent.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ContactChanges {
    #[serde(default, deserialize_with = "present")]
    pub first_name: Option<Name<100>>,
    #[serde(default, deserialize_with = "present")]
    pub last_name: Option<Name<100>>,
    #[serde(default)]
    #[oai(nullable)]
    pub email: MaybeUndefined<EmailAddress>,
    /// The telephone number as the person writes it, 1 to 50 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub phone: MaybeUndefined<Text<1, 50>>,
    /// The id in another system, 1 to 200 characters. Unique among the contacts of the organization.
    #[serde(default)]
    #[oai(nullable)]
    pub external_id: MaybeUndefined<Text<1, 200>>,
    /// What other programs note about the contact: at most 20 pairs. Replaces all of it.
    #[serde(default)]
    #[oai(nullable)]
    pub metadata: MaybeUndefined<Metadata>,
}

impl Example for ContactChanges {
    fn example() -> Self {
        Self {
            first_name: None,
            last_name: Name::parse("Murray Hopper").ok(),
            email: MaybeUndefined::Undefined,
            phone: MaybeUndefined::Null,
            external_id: MaybeUndefined::Undefined,
            metadata: MaybeUndefined::Undefined,
        }
    }
}

const GET: Sql<Contact> = sql!("crm/contacts_get.sql" as Contact);

const SINGLE: Single<Contact> = Single::new(sql!("crm/contacts_lock_row.sql"), GET);

pub struct ContactsApi(pub Db);

#[OpenApi(prefix_path = "/api/v1")]
impl ContactsApi {
    /// List contacts
    ///
    /// All contacts, in the order in which they were created.
    #[oai(path = "/contacts", method = "get", operation_id = "list_contacts")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter")]
    async fn list(
        &self,
        caller: Member<Viewer>,
        /// Only contacts whose full name, last name or e-mail address begins with this text, in upper or lower case, or
        /// whose telephone number begins with these digits. 1 to 100 characters.
        search: Query<Option<Text<1, 100>>>,
        /// Only contacts with this e-mail address.
        email: Query<Option<EmailAddress>>,
        /// Only contacts with this telephone number: the same digits in the same order.
        phone: Query<Option<Text<1, 50>>>,
        /// Only the item with this `external_id`.
        external_id: Query<Option<Text<1, 200>>>,
        /// Only items that changed at or after this instant: the `as_of` of the first page of the previous list.
        /// Changes around that time are listed twice. Deleted objects are listed by `GET /api/v1/deletions`.
        updated_since: Query<Option<Instant>>,
        ids: Ids,
        page: Paging,
    ) -> Result<Json<PageAsOf<Contact>>, ApiError<Listing>> {
        let (after, rows) = (page.after_id(), page.rows());
        let updated = updated_since.0.map(|instant| instant.0);
        let email = email.0.as_deref();
        let phone = phone.0.as_deref().map(digits);
        if phone.as_ref().is_some_and(String::is_empty) {
            Err(Problem::invalid_field("phone", "invalid_value", "expected a telephone number"))?;
        }
        let search = search.0.as_deref().map(str::to_lowercase);
        let number = search.as_deref().and_then(telephone);
        let external_id = external_id.0.as_deref();
        let as_of = self.0.as_of().await?;
        let contacts = if search.is_none() && email.is_none() && phone.is_none() {
            let sql = sql!("crm/contacts_list.sql" as Contact);
            self.0.all(&caller, sql, &[&after, &rows, &updated, &ids.0, &external_id]).await?
        } else {
            let sql = sql!("crm/contacts_search.sql" as Contact);
            let params: Params =
                &[&after, &rows, &updated, &ids.0, &email, &phone, &search, &number, &external_id];
            self.0.all(&caller, sql, params).await?
        };
        Ok(Json(page.of(contacts, |last| Cursor::id(last.id)).as_of(as_of)))
    }

    /// Create a contact
    ///
    /// 409 `external_id_taken` if another contact has the `external_id`.
    #[oai(path = "/contacts", method = "post", operation_id = "create_contact")]
    async fn create(
        &self,
        caller: Member<Staff>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewContactRecord>,
    ) -> Result<Created<Contact>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let once = Once::new(&context, "create_contact", idempotency_key.0, &body.0)?;
        let new = &body.0;
        let params: Params = &[
            &Uuid::now_v7(),
            &&*new.first_name,
            &&*new.last_name,
            &new.email.as_deref(),
            &new.phone.as_deref(),
            &new.external_id.as_deref(),
            &new.metadata.as_ref().map(AsJson),
        ];
        let sql = sql!("crm/contacts_create.sql" as Contact);
        let contact: Contact = once.create(&self.0, context, sql, params).await?;
        Ok(once.created(format!("/api/v1/contacts/{}", contact.id), contact))
    }

    /// Get a contact
    #[oai(path = "/contacts/:contact_id", method = "get", operation_id = "get_contact")]
    async fn get(
        &self,
        caller: Member<Viewer>,
        contact_id: Path<Uuid>,
    ) -> Result<Json<Contact>, ApiError<Reading>> {
        let contact = self.0.optional(&caller, GET, &[&contact_id.0]).await?;
        Ok(Json(contact.ok_or_else(Problem::not_found)?))
    }

    /// Change a contact
    ///
    /// 409 `external_id_taken` if another contact has the `external_id`.
    #[oai(path = "/contacts/:contact_id", method = "patch", operation_id = "update_contact")]
    async fn update(
        &self,
        caller: Member<Staff>,
        contact_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<ContactChanges>,
    ) -> Result<Json<Contact>, ApiError<Writing>> {
        let changes = body.0;
        let contact = if_match
            .change(
                &self.0,
                &caller,
                (&SINGLE, &[&contact_id.0]),
                sql!("crm/contacts_update.sql" as Contact),
                &[
                    &contact_id.0,
                    &changes.first_name.as_deref(),
                    &changes.last_name.as_deref(),
                    &!changes.email.is_undefined(),
                    &changes.email.value().map(|email| &**email),
                    &!changes.phone.is_undefined(),
                    &changes.phone.value().map(|phone| &**phone),
                    &!changes.external_id.is_undefined(),
                    &changes.external_id.value().map(|id| &**id),
                    &!changes.metadata.is_undefined(),
                    &changes.metadata.value().map(AsJson),
                ],
            )
            .await?;
        Ok(Json(contact.ok_or_else(Problem::not_found)?))
    }

    /// Delete a contact
    ///
    /// 409 `contact_in_use` if the contact has appointments.
    #[oai(path = "/contacts/:contact_id", method = "delete", operation_id = "delete_contact")]
    async fn delete(
        &self,
        caller: Member<Manager>,
        contact_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&contact_id.0];
        if_match
            .change(&self.0, &caller, (&SINGLE, id), sql!("crm/contacts_delete.sql"), id)
            .await
            .on_constraint("appointments_contact_fkey", || {
                Problem::conflict("contact_in_use", "The contact has appointments and cannot be deleted.")
            })?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

/// The contact that is linked to an account. For transactions of other modules.
pub async fn of_account(tx: &mut Tx, account: Uuid) -> Result<Option<Uuid>, db::Error> {
    let contact = tx.optional(sql!("crm/contacts_get_mine.sql" as (Uuid,)), &[&account]).await?;
    Ok(contact.map(|(id,)| id))
}

/// Creates a contact. For transactions of other modules.
pub async fn create(tx: &mut Tx, new: &NewContact) -> Result<Uuid, db::Error> {
    let id = Uuid::now_v7();
    let params: Params =
        &[&id, &&*new.first_name, &&*new.last_name, &new.email.as_deref(), &new.phone.as_deref()];
    tx.all(sql!("crm/contacts_add.sql"), params).await?;
    Ok(id)
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The digits of a text that may be a telephone number.
fn telephone(text: &str) -> Option<String> {
    let written = |c: char| c.is_ascii_digit() || " +-()/.".contains(c);
    Some(digits(text)).filter(|digits| !digits.is_empty() && text.chars().all(written))
}

/// Whether the organization has a contact.
pub async fn exists(tx: &mut Tx, id: Uuid) -> Result<bool, db::Error> {
    Ok(tx.optional(sql!("crm/contacts_get.sql"), &[&id]).await?.is_some())
}
