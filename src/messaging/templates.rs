//! The operations on the texts of messages: an organization replaces default texts by its own.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    types::Example,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    notices::{Book, Notice, Recipient, Sample},
    page,
    rendering::{self, Mistake, Variables},
    voice::{self, Voice},
};
use crate::{
    db::{Context, Db, Params, Sql, row},
    http::{
        caller::{Admin, Manager, Member},
        computing,
        if_match::{IfMatch, Single},
        json::{Created, Json, NoContent, present},
        page::{Cursor, Ids, Page, Paging},
        problem::{
            ApiError, Deleting, Failure, FieldError, Listing, OnConstraint as _, Problem, Reading, Writing,
        },
        values::{IdempotencyKey, Language, Text},
    },
    operations::idempotency::Once,
    sql,
};

/// The template of a subject.
type Subject = Text<1, 200>;

/// The template of a text.
type Body = Text<1, 5000>;

/// A text of the organization, which replaces a default text.
#[derive(Debug, Object, Serialize)]
pub struct MessageTemplate {
    pub id: Uuid,
    /// The type of the events.
    pub event: String,
    pub recipient: Recipient,
    /// The language, as the first part of a BCP 47 tag. It is used if the `language` of the settings begins with it.
    pub language: String,
    /// The template of the subject.
    pub subject: String,
    /// The template of the text. Empty lines separate paragraphs; lines that begin with two spaces are set apart.
    pub body: String,
    pub created_at: DateTime<Utc>,
}

row! {
    MessageTemplate { id, event, recipient, language, subject, body, created_at }
}

/// A new text.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewMessageTemplate {
    /// An `event` of `GET /api/v1/message-templates/defaults`.
    pub event: Text<1, 100>,
    pub recipient: Recipient,
    /// The language: two or three letters.
    pub language: Language,
    /// The template of the subject, 1 to 200 characters.
    pub subject: Subject,
    /// The template of the text, 1 to 5,000 characters.
    pub body: Body,
}

impl Example for NewMessageTemplate {
    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "event": "appointment.created",
            "recipient": "contact",
            "language": "en",
            "subject": "See you soon at {{ organization.name }}",
            "body": "Dear {{ recipient.name }},\n\nwe look forward to seeing you:\n\n{{ appointment.list }}\n\n\
                     To move or cancel:\n\n{{ appointment.link }}",
        }))
        .expect("the example follows the rules it is an example of")
    }
}

/// Changes to a text. Omitted fields are kept.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct MessageTemplateChanges {
    /// The template of the subject, 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    pub subject: Option<Subject>,
    /// The template of the text, 1 to 5,000 characters.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Body>,
}

impl Example for MessageTemplateChanges {
    fn example() -> Self {
        Self { subject: Text::parse("Your visit to {{ organization.name }}").ok(), body: None }
    }
}

/// A default text.
#[derive(Debug, Object, Serialize)]
pub struct DefaultMessageTemplate {
    /// The type of the events.
    pub event: String,
    pub recipient: Recipient,
    pub language: String,
    /// The template of the subject.
    pub subject: String,
    /// The template of the text.
    pub body: String,
    /// What templates of this message can contain, as in `{{ appointment.service }}`.
    pub variables: Vec<String>,
}

/// The default texts.
#[derive(Debug, Object, Serialize)]
pub struct DefaultMessageTemplates {
    pub items: Vec<DefaultMessageTemplate>,
}

/// A message as it would be sent.
#[derive(Debug, Object, Serialize)]
pub struct MessagePreview {
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML, a whole page.
    pub html: String,
}

const GET: Sql<MessageTemplate> = sql!("messaging/templates_get.sql" as MessageTemplate);

const SINGLE: Single<MessageTemplate> = Single::new(sql!("messaging/templates_lock_row.sql"), GET);

pub struct MessageTemplatesApi {
    pub db: Db,
    pub book: Book,
}

#[OpenApi(prefix_path = "/api/v1")]
impl MessageTemplatesApi {
    /// List message templates
    ///
    /// The texts with which the organization replaces default texts, in the order in which they were created.
    #[oai(path = "/message-templates", method = "get", operation_id = "list_message_templates")]
    async fn list(
        &self,
        caller: Member<Manager>,
        ids: Ids,
        /// Only texts about events of this type.
        event: Query<Option<Text<1, 100>>>,
        /// Only texts in this language.
        language: Query<Option<Language>>,
        page: Paging,
    ) -> Result<Json<Page<MessageTemplate>>, ApiError<Listing>> {
        let sql = sql!("messaging/templates_list.sql" as MessageTemplate);
        let (event, language) = (event.0.as_deref(), language.0.as_deref());
        let params: Params = &[&page.after_id(), &page.rows(), &ids.0, &event, &language];
        let templates = self.db.all(&caller, sql, params).await?;
        Ok(Json(page.of(templates, |last| Cursor::id(last.id))))
    }

    /// Create a message template
    ///
    /// Templates are written in the language of Jinja: `{{ appointment.service }}`, `{% if appointment.reason %}`. A
    /// template must use known variables only, which `GET /api/v1/message-templates/defaults` lists, and is tried with
    /// examples. 409 `template_exists` if the organization has a text for this event, recipient and language.
    #[oai(path = "/message-templates", method = "post", operation_id = "create_message_template")]
    async fn create(
        &self,
        caller: Member<Admin>,
        #[oai(name = "Idempotency-Key")] idempotency_key: Header<Option<IdempotencyKey>>,
        body: Json<NewMessageTemplate>,
    ) -> Result<Created<MessageTemplate>, ApiError<Writing>> {
        let context = Context::from(&caller);
        let new = &body.0;
        let once = Once::new(&context, "create_message_template", idempotency_key.0, new)?;
        let notice = self.notice(&new.event, new.recipient)?;
        let texts = [("subject", Some(&*new.subject)), ("body", Some(&*new.body))];
        self.check(context, notice, &new.language, texts).await?;
        let params: Params = &[
            &Uuid::now_v7(),
            &&*new.event,
            &new.recipient.name(),
            &&*new.language,
            &&*new.subject,
            &&*new.body,
        ];
        let sql = sql!("messaging/templates_create.sql" as MessageTemplate);
        let created = once.create(&self.db, context, sql, params).await;
        let template: MessageTemplate = created.on_constraint("templates_key", || {
            let detail =
                "The organization has a text for this event, recipient and language: change that one.";
            Problem::conflict("template_exists", detail)
        })?;
        Ok(once.created(format!("/api/v1/message-templates/{}", template.id), template))
    }

    /// List default message templates
    ///
    /// The texts of messages for which the organization has none of its own, in each language, with the variables that
    /// templates can contain. In other languages English texts are used.
    #[oai(
        path = "/message-templates/defaults",
        method = "get",
        operation_id = "list_default_message_templates"
    )]
    async fn defaults(
        &self,
        caller: Member<Manager>,
        /// Only texts in this language.
        language: Query<Option<Language>>,
    ) -> Result<Json<DefaultMessageTemplates>, ApiError<Listing>> {
        // Who asks must still be a member.
        self.db.one(&caller, voice::GET, &[]).await?;
        let language = language.0.as_deref();
        let items = self
            .book
            .all()
            .filter(|(_, text)| language.is_none_or(|language| language == text.language))
            .map(|(notice, text)| DefaultMessageTemplate {
                event: notice.event.to_owned(),
                recipient: notice.recipient,
                language: text.language.to_owned(),
                subject: text.subject.to_owned(),
                body: text.body.to_owned(),
                variables: notice.variables.iter().map(|name| (*name).to_owned()).collect(),
            });
        Ok(Json(DefaultMessageTemplates { items: items.collect() }))
    }

    /// Preview a message
    ///
    /// Renders a template with an example, in the language, formats and colours of the organization. Stores nothing.
    #[oai(path = "/message-templates/preview", method = "post", operation_id = "preview_message_template")]
    async fn preview(
        &self,
        caller: Member<Manager>,
        body: Json<NewMessageTemplate>,
    ) -> Result<Json<MessagePreview>, ApiError<Writing>> {
        let (context, new) = (Context::from(&caller), body.0);
        let notice = self.notice(&new.event, new.recipient)?;
        let texts = [("subject", Some(&*new.subject)), ("body", Some(&*new.body))];
        let voice = self.check(context, notice, &new.language, texts).await?;
        let Some((_, module)) = self.book.find(notice.event, notice.recipient) else {
            Err(Problem::internal())?
        };
        let (variables, button) = module.sample(notice, &voice, &new.language, Sample::Full);
        let variables = Variables::from(variables);
        let rendered = rendering::render_subject(&new.subject, &variables)
            .and_then(|subject| Ok((subject, rendering::render(&new.body, &variables)?)));
        let (subject, text) = rendered.map_err(|mistake| invalid("body", mistake))?;
        let html = page::html(&voice, &new.language, (&subject, &text), button.as_ref(), None);
        Ok(Json(MessagePreview { subject, text: page::plain(&voice, &new.language, &text, None), html }))
    }

    /// Get a message template
    #[oai(
        path = "/message-templates/:message_template_id",
        method = "get",
        operation_id = "get_message_template"
    )]
    async fn get(
        &self,
        caller: Member<Manager>,
        message_template_id: Path<Uuid>,
    ) -> Result<Json<MessageTemplate>, ApiError<Reading>> {
        let template = self.db.optional(&caller, GET, &[&message_template_id.0]).await?;
        Ok(Json(template.ok_or_else(Problem::not_found)?))
    }

    /// Change a message template
    ///
    /// The changed template is checked as a new one.
    #[oai(
        path = "/message-templates/:message_template_id",
        method = "patch",
        operation_id = "update_message_template"
    )]
    async fn update(
        &self,
        caller: Member<Admin>,
        message_template_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
        body: Json<MessageTemplateChanges>,
    ) -> Result<Json<MessageTemplate>, ApiError<Writing>> {
        let (context, changes, id) = (Context::from(&caller), body.0, message_template_id.0);
        // Event, recipient and language never change.
        let current = self.db.optional(context, GET, &[&id]).await?.ok_or_else(Problem::not_found)?;
        let notice = self.notice(&current.event, current.recipient)?;
        let texts = [("subject", changes.subject.as_deref()), ("body", changes.body.as_deref())];
        self.check(context, notice, &current.language, texts).await?;
        let sql = sql!("messaging/templates_update.sql" as MessageTemplate);
        let params: Params = &[&id, &changes.subject.as_deref(), &changes.body.as_deref()];
        let changed = if_match.change(&self.db, context, (&SINGLE, &params[..1]), sql, params).await?;
        Ok(Json(changed.ok_or_else(Problem::not_found)?))
    }

    /// Delete a message template
    ///
    /// The default text is used again.
    #[oai(
        path = "/message-templates/:message_template_id",
        method = "delete",
        operation_id = "delete_message_template"
    )]
    async fn delete(
        &self,
        caller: Member<Admin>,
        message_template_id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: IfMatch,
    ) -> Result<NoContent, ApiError<Deleting>> {
        let id: Params = &[&message_template_id.0];
        if_match
            .change(&self.db, &caller, (&SINGLE, id), sql!("messaging/templates_delete.sql"), id)
            .await?
            .ok_or_else(Problem::not_found)?;
        Ok(NoContent)
    }
}

impl MessageTemplatesApi {
    fn notice(&self, event: &str, recipient: Recipient) -> Result<&'static Notice, Problem> {
        let found = self.book.find(event, recipient).map(|(notice, _)| notice);
        found.ok_or_else(|| {
            let detail = "expected an event and a recipient of GET /api/v1/message-templates/defaults";
            Problem::invalid_field("event", "invalid_value", detail)
        })
    }

    /// 422 unless all templates can be rendered; returns how the organization speaks. Rendering takes its time, and no
    /// thread that serves requests.
    async fn check(
        &self,
        context: Context,
        notice: &'static Notice,
        language: &str,
        texts: [(&'static str, Option<&str>); 2],
    ) -> Result<Voice, Failure> {
        let voice = self.db.one(context, voice::GET, &[]).await?;
        let Some((_, module)) = self.book.find(notice.event, notice.recipient) else {
            Err(Problem::internal())?
        };
        let samples = [Sample::Full, Sample::Sparse, Sample::Hostile]
            .map(|sample| Variables::from(module.sample(notice, &voice, language, sample).0));
        let texts = texts.map(|(field, text)| (field, text.map(ToOwned::to_owned)));
        let place = computing::place(context.tenant, 1).await?;
        place
            .compute(move |_| {
                let wrong = texts.iter().filter_map(|(field, text)| {
                    let checked = rendering::check(text.as_deref()?, notice.variables, &samples);
                    Some(error(field, checked.err()?))
                });
                let errors: Vec<FieldError> = wrong.collect();
                if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors).into()) }
            })
            .await?;
        Ok(voice)
    }
}

fn error(field: &str, Mistake { code, detail }: Mistake) -> FieldError {
    FieldError::new(field, code, detail)
}

fn invalid(field: &str, mistake: Mistake) -> Problem {
    Problem::invalid(vec![error(field, mistake)])
}
