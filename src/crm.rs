//! The people an organization deals with.

pub mod contacts;

use contacts::ContactsApi;

use crate::{
    db::Db,
    http::{
        module::{Apis, Module},
        problem::{AnsweredBy, ProblemCode, problem_codes},
    },
};

/// What this module is.
pub enum Crm {}

impl Module for Crm {
    const NAME: &str = "crm";
    const ABOUT: &str = "Contacts: the people an organization deals with.";
    const PROBLEMS: &[ProblemCode] = problem_codes! {
        409 Named {
            "contact_in_use" = "The contact has appointments.",
        }
    };
}

pub fn apis(db: Db) -> Apis<Crm, ContactsApi> {
    Apis::new(ContactsApi(db))
}
