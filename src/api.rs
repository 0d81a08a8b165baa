//! The modules, listed, and what they work with.

use std::sync::Arc;

use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService};

use crate::{
    crm,
    db::{DatabaseUrl, Db, FrontDoor},
    http::{
        captcha::Captcha,
        client::Network,
        description::{self, Documents},
        limit::{Limits, Rates},
        token::{SigningKey, Tokens},
    },
    identity::{
        self,
        passwords::{Passwords, Policy},
        session_issuer::SessionIssuer,
    },
    messaging::{
        self,
        alerts::Checks,
        event_types::Catalogue,
        live::Live,
        mail::Mailer,
        notices::{Book, Notices},
        webhooks::{Requests, addresses::Reach, secrets::SecretKeys},
    },
    operations::{self, health::Stopping},
    scheduling::{self, notices::AppointmentNotices},
    tenancy::{self, domains::Dns},
    work,
};

/// The state that operations share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub door: FrontDoor,
    pub tokens: Arc<Tokens>,
    pub passwords: Arc<Passwords>,
    pub mailer: Mailer,
    pub dns: Dns,
    pub captcha: Captcha,
    pub network: Arc<Network>,
    pub limits: Arc<Limits>,
    /// What the secrets of webhook endpoints follow from.
    pub webhook_keys: SecretKeys,
    /// Where webhooks may be sent to.
    pub webhook_reach: Reach,
    pub live: Arc<Live>,
    pub stopping: Stopping,
}

/// All types of events, in the order of the modules.
pub const EVENTS: Catalogue = Catalogue(&[
    tenancy::events::EVENTS,
    scheduling::events::EVENTS,
    crm::events::EVENTS,
    work::events::EVENTS,
    messaging::EVENTS,
]);

/// What is checked in every organization.
pub const CHECKS: Checks = Checks(&[tenancy::health::CHECKS, messaging::alerts::CHECKS]);

/// The messages of all modules.
pub fn notices(mailer: &Mailer) -> Book {
    let appointments: Arc<dyn Notices> = Arc::new(AppointmentNotices { mailer: mailer.clone() });
    Book::new([appointments])
}

/// The service with every operation and its description.
pub fn service(app: &App) -> OpenApiService<impl OpenApi + use<>, &'static dyn Requests> {
    let App {
        db,
        door,
        tokens,
        passwords,
        mailer,
        dns,
        captcha,
        network,
        limits: _,
        webhook_keys,
        webhook_reach,
        live,
        stopping,
    } = app.clone();
    let book = notices(&mailer);
    let issuer = SessionIssuer { door: door.clone(), tokens: tokens.clone() };
    // In the order in which a reader of the description meets them.
    let modules = (
        identity::apis(
            db.clone(),
            door.clone(),
            tokens.clone(),
            passwords.clone(),
            issuer.clone(),
            mailer.clone(),
        ),
        tenancy::apis(db.clone(), door.clone(), passwords, issuer, mailer.clone(), (dns, network), CHECKS),
        scheduling::apis(db.clone(), door, tokens, mailer, captcha, live.clone()),
        crm::apis(db.clone()),
        work::apis(db.clone()),
        messaging::apis(db.clone(), EVENTS, live, book, webhook_keys, webhook_reach),
        operations::apis(db, stopping),
    );
    OpenApiService::new(modules, "appointd", env!("CARGO_PKG_VERSION")).webhooks::<&dyn Requests>()
        .description(
            "Appointments for many organizations. A token is for one organization and gives access to no other. \
             Times are RFC 3339 instants, ids are UUIDs, and errors are problem+json (RFC 9457) with a stable `code`. \
             Every response has the headers `X-Request-Id` (quote it when you ask for help), `RateLimit-Policy` and \
             `RateLimit` (draft-ietf-httpapi-ratelimit-headers).\n\n\
             To begin: log in, authorize with the `access_token`, list the services, list the slots of a service, \
             and book one.",
        )
        .contact(ContactObject::new().name("appointd"))
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
}

/// The description as poem-openapi writes it. Depends on the code only: needs no database and no settings.
pub fn raw_description() -> String {
    let unused_keys = [SigningKey::from_bytes([0; 32])];
    let app = App {
        db: Db::new(&DatabaseUrl::nowhere(), 1),
        door: FrontDoor::new(&DatabaseUrl::nowhere(), 1),
        tokens: Arc::new(Tokens::new(&unused_keys, &unused_keys).expect("a key is a key")),
        passwords: Arc::new(Passwords::new(Policy::Strict)),
        mailer: Mailer::nowhere(),
        dns: Dns::nowhere(),
        captcha: Captcha::default(),
        network: Arc::default(),
        limits: Arc::new(Limits::new(&Rates::default())),
        webhook_keys: SecretKeys::new(&unused_keys),
        webhook_reach: Reach::default(),
        live: Live::nowhere(),
        stopping: Stopping::default(),
    };
    service(&app).spec()
}

/// The descriptions as committed in `openapi`.
pub fn description() -> Documents {
    let events: Vec<_> = EVENTS.iter().map(|event| (event.name, event.meaning)).collect();
    description::complete(&raw_description(), &events)
}
