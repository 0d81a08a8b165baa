//! The people an organization deals with.

pub mod contacts;
pub mod events;
pub mod preferences;

use contacts::ContactsApi;
use preferences::PreferencesApi;

use crate::{
    db::Db,
    http::{
        module::{Apis, Module, Tag},
        problem::{AnsweredBy, ProblemCode, problem_codes},
    },
};

/// What this module is.
pub enum Crm {}

impl Module for Crm {
    const NAME: &str = "crm";
    const TAGS: &[Tag] = &[Tag {
        name: "Contacts",
        about: "The people an organization deals with.",
        paths: &["/contacts", "/my/message-preferences"],
    }];
    const DELETED: &[&str] = &["contact"];
    const PROBLEMS: &[ProblemCode] = problem_codes! {
        409 Named {
            "contact_in_use" = "The contact has appointments.",
        }
    };
}

pub fn apis(db: Db) -> Apis<Crm, (ContactsApi, PreferencesApi)> {
    Apis::new((ContactsApi(db.clone()), PreferencesApi(db)))
}
