//! The list of everything the API can do.

use std::sync::Arc;

use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService};
use tokio_postgres::Config;

use crate::{
    crm::contacts::ContactsApi,
    db::Db,
    http::{description, token::Tokens},
    identity::{
        accounts::AccountsApi,
        passwords::{Passwords, Policy},
    },
    operations::health::HealthApi,
    scheduling::{
        appointments::AppointmentsApi, availability::SlotsApi, providers::ProvidersApi,
        schedules::SchedulesApi, services::ServicesApi,
    },
    tenancy::organizations::OrganizationsApi,
};

/// What the operations work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub tokens: Arc<Tokens>,
    pub passwords: Arc<Passwords>,
}

/// Every operation, with its description.
pub fn service(app: &App) -> OpenApiService<impl OpenApi + use<>, ()> {
    let App { db, tokens, passwords } = app.clone();
    let apis = (
        AccountsApi { db: db.clone(), passwords, tokens },
        OrganizationsApi(db.clone()),
        ContactsApi(db.clone()),
        ServicesApi(db.clone()),
        SlotsApi(db.clone()),
        ProvidersApi(db.clone()),
        SchedulesApi(db.clone()),
        AppointmentsApi(db.clone()),
        HealthApi(db),
    );
    OpenApiService::new(apis, "appointd", "1")
        .description(
            "Appointments for many organizations. A token is for one organization; nothing of any other exists for it. \
             Times are RFC 3339 instants, ids are UUIDs, every refusal is problem+json (RFC 9457) with a stable `code`.\n\n\
             To begin: log in, authorize with the `access_token`, list the services, list the slots of one, and book one of \
             those.",
        )
        .contact(ContactObject::new().name("appointd"))
        .license(LicenseObject::new("MIT OR Apache-2.0"))
}

/// The description as poem-openapi writes it. A function of the code alone: it needs no database and no settings.
pub fn raw_description() -> String {
    let app = App {
        db: Db::new(&Config::new(), 1),
        tokens: Arc::new(Tokens::new(&[])),
        passwords: Arc::new(Passwords::new(Policy::Strict)),
    };
    service(&app).spec()
}

/// The description as published in `openapi/openapi.json`.
pub fn description() -> String {
    description::complete(&raw_description())
}
