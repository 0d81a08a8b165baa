//! Organizations, the tenants: their members, invitations and API keys, plans, settings, branding and domains.

pub mod api_keys;
pub mod branding;
pub mod codes;
pub mod domains;
pub mod events;
pub mod features;
pub mod health;
pub mod invitation_acceptance;
pub mod invitations;
pub mod members;
pub mod organizations;
pub mod settings;
pub mod subscriptions;
pub mod usage_days;

use std::sync::Arc;

use poem_openapi::OpenApi;

use api_keys::ApiKeysApi;
use branding::BrandingApi;
use domains::{Dns, DomainsApi};
use health::OrganizationHealthApi;
use invitation_acceptance::InvitationAcceptanceApi;
use invitations::InvitationsApi;
use members::MembersApi;
use organizations::OrganizationsApi;
use settings::SettingsApi;
use subscriptions::SubscriptionsApi;
use usage_days::UsageDaysApi;

use crate::{
    db::{Db, FrontDoor},
    http::{
        client::Network,
        module::{Apis, Module, Tag},
        problem::{FieldCode, ProblemCode},
    },
    identity::{passwords::Passwords, session_issuer::SessionIssuer},
    messaging::{alerts::Checks, mail::Mailer},
};

/// What this module is.
pub enum Tenancy {}

impl Module for Tenancy {
    const NAME: &str = "tenancy";
    const TAGS: &[Tag] = &[
        Tag {
            name: "Organizations",
            about: "The tenants everything else belongs to.",
            paths: &["/organizations", "/public/organization"],
        },
        Tag {
            name: "Plans",
            about: "What an organization may use, and how much of it.",
            paths: &["/plans", "/organizations/me/subscription", "/organizations/me/usage"],
        },
        Tag {
            name: "Settings",
            about: "Language, formats, privacy, guests.",
            paths: &["/organizations/me/settings"],
        },
        Tag {
            name: "Branding",
            about: "Names, colours and logos for the pages of an organization.",
            paths: &["/organizations/me/branding"],
        },
        Tag {
            name: "Members",
            about: "The people who work for an organization, and its customers with an account.",
            paths: &[
                "/members",
                "/organizations/{organization_id}/leave",
                "/organizations/me/transfer-ownership",
            ],
        },
        Tag {
            name: "Invitations",
            about: "Inviting people, and accepting an invitation.",
            paths: &["/invitations"],
        },
        Tag { name: "API keys", about: "Access for programs.", paths: &["/api-keys"] },
        Tag {
            name: "Domains",
            about: "The domains that lead to an organization.",
            paths: &["/domains", "/internal/tls"],
        },
    ];
    const DELETED: &[&str] = &["member", "invitation", "domain"];
    const PROBLEMS: &[ProblemCode] = codes::PROBLEMS;
    const FIELDS: &[FieldCode] = codes::FIELDS;
}

pub fn apis(
    db: Db,
    door: FrontDoor,
    passwords: Arc<Passwords>,
    issuer: SessionIssuer,
    mailer: Mailer,
    (dns, network): (Dns, Arc<Network>),
    checks: Checks,
) -> Apis<Tenancy, impl OpenApi> {
    Apis::new((
        OrganizationsApi { db: db.clone(), door: door.clone() },
        (SubscriptionsApi(db.clone()), UsageDaysApi(db.clone())),
        OrganizationHealthApi { db: db.clone(), checks },
        SettingsApi(db.clone()),
        BrandingApi(db.clone()),
        MembersApi(db.clone()),
        InvitationsApi { db: db.clone(), mailer },
        InvitationAcceptanceApi { db: db.clone(), door, passwords, issuer },
        ApiKeysApi(db.clone()),
        DomainsApi { db, dns, network },
    ))
}
