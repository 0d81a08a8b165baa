//! The list of all operations, and the API description made from it.

use std::sync::Arc;

use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService};
use tokio_postgres::Config;

use crate::{
    crm::contacts::ContactsApi,
    db::Db,
    http::{
        captcha::Captcha,
        client::Network,
        description,
        limit::{Limits, Rates},
        token::{SigningKey, Tokens},
    },
    identity::{
        accounts::AccountsApi,
        door::Door,
        key_set::KeySetApi,
        memberships::MembershipsApi,
        passwords::{Passwords, Policy},
        recovery::RecoveryApi,
        second_factors::SecondFactorsApi,
        sessions::SessionsApi,
        sign_in::SignInApi,
    },
    messaging::mail::Mailer,
    operations::{audit::AuditApi, deletions::DeletionsApi, health::HealthApi},
    scheduling::{
        booking::{
            appointments::AppointmentsApi, holds::HoldsApi, series::SeriesApi, transitions::TransitionsApi,
            waitlist::WaitlistApi,
        },
        catalog::{
            provider_links::ProviderLinksApi, providers::ProvidersApi, resources::ResourcesApi,
            services::ServicesApi,
        },
        customers::{
            calendar::CalendarApi, guest::Guests, guest_verification::GuestVerificationApi,
            guest_waits::GuestWaitsApi, guests::GuestsApi, my_appointments::MyAppointmentsApi,
            my_waits::MyWaitsApi,
        },
        hours::{closures::ClosuresApi, schedules::SchedulesApi, time_off::TimeOffApi},
        slots::listing::SlotsApi,
    },
    tenancy::{
        api_keys::ApiKeysApi,
        branding::BrandingApi,
        domains::{Dns, DomainsApi},
        invitation_acceptance::InvitationAcceptanceApi,
        invitations::InvitationsApi,
        members::MembersApi,
        organizations::OrganizationsApi,
        settings::SettingsApi,
        subscriptions::SubscriptionsApi,
    },
};

/// The state that operations share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub tokens: Arc<Tokens>,
    pub passwords: Arc<Passwords>,
    pub mailer: Mailer,
    pub dns: Dns,
    pub captcha: Captcha,
    pub network: Arc<Network>,
    pub limits: Arc<Limits>,
}

/// The service with every operation and its description.
pub fn service(app: &App) -> OpenApiService<impl OpenApi + use<>, ()> {
    let App { db, tokens, passwords, mailer, dns, captcha, network, limits: _ } = app.clone();
    let door = Door { db: db.clone(), tokens: tokens.clone() };
    let identity = (
        AccountsApi {
            db: db.clone(),
            passwords: passwords.clone(),
            door: door.clone(),
            mailer: mailer.clone(),
        },
        SignInApi { db: db.clone(), passwords: passwords.clone(), door: door.clone() },
        SessionsApi { db: db.clone(), door: door.clone() },
        MembershipsApi(db.clone()),
        KeySetApi(tokens.clone()),
        RecoveryApi { db: db.clone(), passwords: passwords.clone(), mailer: mailer.clone() },
        SecondFactorsApi { db: db.clone(), passwords: passwords.clone() },
    );
    let tenancy = (
        OrganizationsApi(db.clone()),
        SubscriptionsApi(db.clone()),
        SettingsApi(db.clone()),
        BrandingApi(db.clone()),
        MembersApi(db.clone()),
        InvitationsApi { db: db.clone(), mailer: mailer.clone() },
        InvitationAcceptanceApi { db: db.clone(), passwords, door },
        ApiKeysApi(db.clone()),
        DomainsApi { db: db.clone(), dns, network },
    );
    let scheduling = (
        ServicesApi { db: db.clone(), mailer: mailer.clone() },
        ProvidersApi { db: db.clone(), mailer: mailer.clone() },
        ProviderLinksApi(db.clone()),
        ResourcesApi { db: db.clone(), mailer: mailer.clone() },
        SchedulesApi(db.clone()),
        ClosuresApi(db.clone()),
        TimeOffApi(db.clone()),
        SlotsApi(db.clone()),
        AppointmentsApi { db: db.clone(), mailer: mailer.clone() },
        TransitionsApi { db: db.clone(), mailer: mailer.clone() },
        SeriesApi { db: db.clone(), mailer: mailer.clone() },
        HoldsApi { db: db.clone(), mailer: mailer.clone() },
        WaitlistApi { db: db.clone(), mailer: mailer.clone() },
        CalendarApi(db.clone()),
    );
    let guests = Guests { db: db.clone(), tokens, mailer: mailer.clone(), captcha };
    let customers = (
        GuestsApi(guests.clone()),
        GuestWaitsApi(guests.clone()),
        GuestVerificationApi(guests),
        MyAppointmentsApi { db: db.clone(), mailer: mailer.clone() },
        MyWaitsApi { db: db.clone(), mailer },
    );
    let others =
        (ContactsApi(db.clone()), AuditApi(db.clone()), DeletionsApi(db.clone()), HealthApi::new(db));
    let apis = (identity, tenancy, scheduling, customers, others);
    OpenApiService::new(apis, "appointd", "1")
        .description(
            "Appointments for many organizations. A token is for one organization and gives access to no other. \
             Times are RFC 3339 instants, ids are UUIDs, and errors are problem+json (RFC 9457) with a stable `code`.\n\n\
             To begin: log in, authorize with the `access_token`, list the services, list the slots of a service, \
             and book one.",
        )
        .contact(ContactObject::new().name("appointd"))
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
}

/// The description as poem-openapi writes it. Depends on the code only: needs no database and no settings.
pub fn raw_description() -> String {
    let nobodys_keys = [SigningKey::from_bytes([0; 32])];
    let app = App {
        db: Db::new(&Config::new(), 1),
        tokens: Arc::new(Tokens::new(&nobodys_keys, &nobodys_keys).expect("a key is a key")),
        passwords: Arc::new(Passwords::new(Policy::Strict)),
        mailer: Mailer::nowhere(),
        dns: Dns::nowhere(),
        captcha: Captcha::default(),
        network: Arc::default(),
        limits: Arc::new(Limits::new(&Rates::default())),
    };
    service(&app).spec()
}

/// The description as published in `openapi/openapi.json`.
pub fn description() -> String {
    description::complete(&raw_description())
}
