//! Accounts, passwords, second factors and sessions.

pub mod accounts;
pub mod codes;
pub mod door;
pub mod key_set;
pub mod memberships;
pub mod passwords;
pub mod recovery;
pub mod second_factors;
pub mod sessions;
pub mod sign_in;

use std::sync::Arc;

use poem_openapi::{OpenApi, registry::Registry};

use accounts::AccountsApi;
use door::Door;
use key_set::KeySetApi;
use memberships::MembershipsApi;
use passwords::Passwords;
use recovery::RecoveryApi;
use second_factors::SecondFactorsApi;
use sessions::SessionsApi;
use sign_in::{OrganizationChoices, SignInApi};

use crate::{
    db::Db,
    http::{
        module::{Apis, Module},
        problem::{self, FieldCode, ProblemCode},
        token::Tokens,
    },
    messaging::mail::Mailer,
};

/// What this module is.
pub enum Identity {}

impl Module for Identity {
    const NAME: &str = "identity";
    const ABOUT: &str = "Accounts: registering, signing in and out, passwords, second factors, who am I.";
    const PROBLEMS: &[ProblemCode] = codes::PROBLEMS;
    const FIELDS: &[FieldCode] = codes::FIELDS;

    fn document_problems(registry: &mut Registry) {
        problem::document::<OrganizationChoices>(registry);
    }
}

pub fn apis(
    db: Db,
    tokens: Arc<Tokens>,
    passwords: Arc<Passwords>,
    door: Door,
    mailer: Mailer,
) -> Apis<Identity, impl OpenApi> {
    Apis::new((
        AccountsApi {
            db: db.clone(),
            passwords: passwords.clone(),
            door: door.clone(),
            mailer: mailer.clone(),
        },
        SignInApi { db: db.clone(), passwords: passwords.clone(), door: door.clone() },
        SessionsApi { db: db.clone(), door },
        MembershipsApi(db.clone()),
        KeySetApi(tokens),
        RecoveryApi { db: db.clone(), passwords: passwords.clone(), mailer },
        SecondFactorsApi { db, passwords },
    ))
}
