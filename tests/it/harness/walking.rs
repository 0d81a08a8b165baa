//! Walking the description: an operation is tried the day it exists.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, Furnished, Operation, Tenant};

/// Values for the parameters of a path.
pub fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    path.split('/')
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => value(name),
            None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("/")
}

pub fn id_of(furnished: &Furnished) -> impl Fn(&str) -> String + '_ {
    |name| {
        let id = furnished.id(name);
        id.unwrap_or_else(|| panic!("a new kind of id: teach the harness where {name} comes from")).to_owned()
    }
}

/// The query an operation cannot do without.
pub fn query(operation: &Operation) -> &'static str {
    const NO_FEED: &str = concat!(
        "?token=appointd_calendar_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    );
    match operation.id() {
        // The services of an availability are tried where it is tested.
        "list_slots"
        | "list_my_slots"
        | "list_slots_to_reschedule_as_guest"
        | "list_slot_days"
        | "list_my_slot_days"
        | "get_availability"
        | "get_my_availability"
        | "get_calendar" => "?from=2031-05-05&to=2031-05-06",
        "list_deletions" => "?since=2026-01-01T00:00:00Z",
        "allow_certificate" => "?domain=unknown.example.com",
        "get_public_organization" => "?slug=unknown",
        "list_online_services"
        | "list_online_providers"
        | "book_as_guest"
        | "hold_as_guest"
        | "join_waitlist_as_guest" => "?organization_slug=unknown",
        "list_online_slots" | "list_online_slot_days" | "get_online_availability" => {
            "?organization_slug=unknown&from=2031-05-05&to=2031-05-06"
        }
        "read_calendar_feed" => NO_FEED,
        _ => "",
    }
}

/// A person whose role the operation is for.
pub fn actor_of<'a>(tenant: &'a Tenant, operation: &Operation) -> &'a Actor {
    if operation.role() == Some("customer") { &tenant.customer } else { &tenant.owner }
}

/// Sends an operation with its example as its body.
pub async fn send(actor: &Actor, operation: &Operation, path: &str) -> Answer {
    let method: Method = operation.method.parse().expect("a method");
    let path = format!("{path}{}", query(operation));
    match operation.example() {
        Some(body) => actor.with_body(method, &path, body).await,
        None => actor.send(actor.request(method, &path)).await,
    }
}

/// Sends an operation with its example as its body, and with a header.
pub async fn send_with(
    actor: &Actor,
    operation: &Operation,
    path: &str,
    (name, value): (&str, &str),
) -> Answer {
    let method: Method = operation.method.parse().expect("a method");
    let request = actor.request(method, &format!("{path}{}", query(operation))).header(name, value);
    let request = match operation.example() {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    actor.send(request).await
}

/// The names of the parameters of an operation.
pub fn parameters(operation: &Operation) -> Vec<&str> {
    let parameters = operation.value["parameters"].as_array().into_iter().flatten();
    parameters.filter_map(|parameter| parameter["name"].as_str()).collect()
}

/// Operations that need no credentials.
pub const OPEN: [&str; 42] = [
    "register_account",
    "log_in",
    "grant_token",
    "refresh_tokens",
    "start_web_session",
    "get_key_set",
    "request_password_reset",
    "reset_password",
    "get_public_organization",
    "look_at_invitation",
    "register_invited",
    "allow_certificate",
    "get_health",
    "get_liveness",
    "get_startup",
    "get_readiness",
    "list_event_types",
    "read_calendar_feed",
    "list_online_services",
    "list_online_providers",
    "list_online_slots",
    "list_online_slot_days",
    "get_online_availability",
    "book_as_guest",
    "view_as_guest",
    "get_as_guest",
    "stream_as_guest",
    "get_calendar_as_guest",
    "list_slots_to_reschedule_as_guest",
    "cancel_as_guest",
    "reschedule_as_guest",
    "hold_as_guest",
    "get_hold_as_guest",
    "release_hold_as_guest",
    "confirm_hold_as_guest",
    "join_waitlist_as_guest",
    "get_waitlist_entry_as_guest",
    "view_waitlist_entry_as_guest",
    "accept_offer_as_guest",
    "decline_offer_as_guest",
    "withdraw_as_guest",
    "verify_as_guest",
];

/// Would take away what the others need; that they work is tested where they belong.
pub fn takes_away(operation: &Operation) -> bool {
    operation.method == "DELETE"
        || ["leave_organization", "transfer_ownership", "log_out", "change_password"]
            .contains(&operation.id())
}

/// The ids of a property: `provider_ids` holds providers.
pub fn named(furnished: &Furnished, name: &str) -> String {
    match name {
        "provider_ids" => furnished.provider.clone(),
        "required_resources" => furnished.resource.clone(),
        "ids" => furnished.appointment.clone(),
        "created_by" | "assignee_id" | "mentions" => furnished.member.clone(),
        "links" | "linked_to" => furnished.contact.clone(),
        "before" | "after" => id_of(furnished)("task_id"),
        "and_then" => furnished.service.clone(),
        "reschedule_of" | "row_id" | "subject_id" => furnished.appointment.clone(),
        "actor_id" => furnished.member.clone(),
        "recipient_id" => furnished.contact.clone(),
        name => id_of(furnished)(name),
    }
}

/// Sets a value in a body, in lists of one.
pub fn put(body: &mut Value, place: &str, value: &str) {
    let mut at = body;
    let mut steps = place.split('/').skip(1).peekable();
    while let Some(step) = steps.next() {
        if step == "*" {
            if at.as_array().is_none_or(Vec::is_empty) {
                *at = json!([null]);
            }
            at = &mut at[0];
        } else {
            at = &mut at[step];
        }
        if steps.peek().is_none() {
            *at = value.into();
            return;
        }
    }
}
