//! Accounts, passwords, second factors and sessions.

pub mod accounts;
pub mod codes;
pub mod key_set;
pub mod memberships;
pub mod passwords;
pub mod purge;
pub mod recovery;
pub mod second_factors;
pub mod session_issuer;
pub mod sessions;
pub mod sign_in;

use std::sync::Arc;

use poem_openapi::{OpenApi, registry::Registry};

use accounts::AccountsApi;
use key_set::KeySetApi;
use memberships::MembershipsApi;
use passwords::Passwords;
use recovery::RecoveryApi;
use second_factors::SecondFactorsApi;
use session_issuer::SessionIssuer;
use sessions::SessionsApi;
use sign_in::{OrganizationChoices, SignInApi};

use crate::{
    db::{Db, FrontDoor},
    http::{
        module::{Apis, Module, Tag},
        problem::{self, FieldCode, ProblemCode},
        token::Tokens,
    },
    messaging::mail::Mailer,
};

/// What this module is.
pub enum Identity {}

impl Module for Identity {
    const NAME: &str = "identity";
    const TAGS: &[Tag] = &[
        Tag {
            name: "Account",
            about: "My account: registering, who am I.",
            paths: &["/auth/register", "/auth/me"],
        },
        Tag {
            name: "Sign-in",
            about: "Signing in and out: tokens for programs, cookies for browsers.",
            paths: &["/auth", "/.well-known/jwks.json"],
        },
        Tag { name: "Sessions", about: "Where an account is signed in.", paths: &["/auth/sessions"] },
        Tag {
            name: "My organizations",
            about: "The organizations an account belongs to.",
            paths: &["/auth/organizations", "/organizations"],
        },
        Tag {
            name: "Passwords and e-mail",
            about: "Changing and resetting a password, verifying an e-mail address.",
            paths: &["/auth/password", "/auth/email"],
        },
        Tag {
            name: "Second factors",
            about: "Signing in with a code from an authenticator app.",
            paths: &["/auth/second-factor"],
        },
    ];
    const PROBLEMS: &[ProblemCode] = codes::PROBLEMS;
    const FIELDS: &[FieldCode] = codes::FIELDS;

    fn document_problems(registry: &mut Registry) {
        problem::document::<OrganizationChoices>(registry);
    }
}

pub fn apis(
    db: Db,
    door: FrontDoor,
    tokens: Arc<Tokens>,
    passwords: Arc<Passwords>,
    issuer: SessionIssuer,
    mailer: Mailer,
) -> Apis<Identity, impl OpenApi> {
    Apis::new((
        AccountsApi {
            db: db.clone(),
            door: door.clone(),
            passwords: passwords.clone(),
            issuer: issuer.clone(),
            mailer: mailer.clone(),
        },
        SignInApi {
            db: db.clone(),
            door: door.clone(),
            passwords: passwords.clone(),
            issuer: issuer.clone(),
        },
        SessionsApi { db: db.clone(), issuer },
        MembershipsApi(db.clone()),
        KeySetApi(tokens),
        RecoveryApi { db: db.clone(), door: door.clone(), passwords: passwords.clone(), mailer },
        SecondFactorsApi { db, door, passwords },
    ))
}
