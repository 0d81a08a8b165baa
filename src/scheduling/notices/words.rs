//! The words of messages that stand in no template, by language. Languages that are not known get English ones.

use crate::scheduling::booking::named_appointment::NamedSegment;

/// The words between a service, its provider and its time.
pub fn line(language: &str, service: &str, provider: &str, starts: &str) -> String {
    let with = match language {
        "de" => "bei",
        "fr" => "avec",
        "es" => "con",
        _ => "with",
    };
    format!("  {service} {with} {provider}, {starts}")
}

/// The label of the button that opens the page of an appointment.
pub fn open(language: &str) -> &'static str {
    match language {
        "de" => "Termin ansehen",
        "fr" => "Voir le rendez-vous",
        "es" => "Ver la cita",
        _ => "View the appointment",
    }
}

/// The label of the button that opens the page for reviews.
pub fn review(language: &str) -> &'static str {
    match language {
        "de" => "Bewertung schreiben",
        "fr" => "Donner votre avis",
        "es" => "Dejar una reseña",
        _ => "Leave a review",
    }
}

/// The names of services, as one text.
pub fn services(segments: &[NamedSegment]) -> String {
    segments.iter().map(|segment| segment.service_name.as_str()).collect::<Vec<_>>().join(", ")
}
