//! What can happen, listed: each module says which events its tables cause.

use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::http::{
    json::Json,
    problem::{ApiError, Open},
};

/// A type of events, as a module lists it. Its migration makes the trigger that writes them.
#[derive(Clone, Copy, Debug)]
pub struct KnownEvent {
    /// The kind of the object and what happened to it: `contact.created`.
    pub name: &'static str,
    /// When it happens, for people.
    pub meaning: &'static str,
    /// The lowest role of members that may read such events.
    pub lowest_role: &'static str,
}

/// Lists the events of a module: `events! { viewer { "contact.created" = "…", } }`.
macro_rules! events {
    ($($lowest:ident { $($name:literal = $meaning:literal,)* })*) => {
        &[$($($crate::messaging::event_types::KnownEvent {
            name: $name,
            meaning: $meaning,
            lowest_role: stringify!($lowest),
        },)*)*]
    };
}
pub(crate) use events;

/// A type of events.
#[derive(Debug, Object, Serialize)]
pub struct EventType {
    /// The kind of the object and what happened to it, as in `appointment.created`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub name: String,
    /// When such an event happens.
    pub description: String,
    /// The lowest role of members that can read such events: `viewer`, `staff` or `admin`.
    pub lowest_role: String,
}

/// All types of events.
#[derive(Debug, Object, Serialize)]
pub struct EventTypes {
    /// In the order of the modules.
    pub items: Vec<EventType>,
}

/// The types of events of all modules.
#[derive(Clone, Copy)]
pub struct Catalogue(pub &'static [&'static [KnownEvent]]);

impl Catalogue {
    pub fn iter(self) -> impl Iterator<Item = &'static KnownEvent> {
        self.0.iter().copied().flatten()
    }

    pub fn has(self, name: &str) -> bool {
        self.iter().any(|event| event.name == name)
    }
}

pub struct EventTypesApi(pub Catalogue);

#[OpenApi(prefix_path = "/api/v1")]
impl EventTypesApi {
    /// List the types of events
    ///
    /// Everything that can happen in an organization and is an event. Later versions of the server add types.
    #[oai(path = "/event-types", method = "get", operation_id = "list_event_types")]
    async fn list(&self) -> Result<Json<EventTypes>, ApiError<Open>> {
        let items = self.0.iter().map(|event| EventType {
            name: event.name.to_owned(),
            description: event.meaning.to_owned(),
            lowest_role: event.lowest_role.to_owned(),
        });
        Ok(Json(EventTypes { items: items.collect() }))
    }
}
