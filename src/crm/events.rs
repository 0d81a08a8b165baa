//! The events of this module.

use crate::messaging::event_types::{KnownEvent, events};

pub const EVENTS: &[KnownEvent] = events! {
    viewer {
        "contact.created" = "A contact was created.",
        "contact.updated" = "A contact was changed.",
        "contact.deleted" = "A contact was deleted.",
    }
};
