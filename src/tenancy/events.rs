//! The events of this module.

use crate::messaging::event_types::{KnownEvent, events};

pub const EVENTS: &[KnownEvent] = events! {
    viewer {
        "organization.updated" = "The organization was changed, for example its name or time zone.",
        "settings.updated" = "The settings of the organization were changed.",
        "branding.updated" = "The branding of the organization was changed.",
        "subscription.updated" = "The plan of the organization or its features were changed.",
        "member.created" = "A person became a member.",
        "member.updated" = "The role or the status of a member was changed.",
        "member.deleted" = "A member left or was removed.",
    }
    staff {
        "invitation.created" = "A person was invited.",
        "invitation.updated" = "An invitation was sent again.",
        "invitation.deleted" = "An invitation was accepted or withdrawn.",
    }
};
