//! Conditional requests: validators, and whether a client has a version.

use appointd::http::conditional::{Tag, Version, compressed, etag, matches, of_form, tags};
use chrono::{DateTime, Utc};

#[test]
fn version_held_by_client_is_known_by_tag_or_date() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
    let now = at("2031-05-05T10:00:00Z");
    let version = Version::new("body", at("2031-05-05T09:00:00.5Z"), now);
    let other = Version::new("another", at("2031-05-05T09:00:00.5Z"), now);
    let list = format!("\"x\", W/{}", version.etag);
    assert_eq!(version.last_modified(), "Mon, 05 May 2031 09:00:00 GMT");
    for (none_match, since, held) in [
        (Some(version.etag.as_str()), None, true),
        (Some(list.as_str()), None, true),
        (Some("*"), None, true),
        (Some(other.etag.as_str()), None, false),
        // The tag decides.
        (Some(other.etag.as_str()), Some("Tue, 06 May 2031 09:00:00 GMT"), false),
        (None, Some("Mon, 05 May 2031 09:00:00 GMT"), true),
        (None, Some("Mon, 05 May 2031 08:59:59 GMT"), false),
        (None, Some("yesterday"), false),
        (None, None, false),
    ] {
        assert_eq!(version.is_held(none_match, since), held, "{none_match:?} {since:?}");
    }
}

#[test]
fn last_modified_of_recent_change_leaves_room_for_open_transactions() {
    let now: DateTime<Utc> = "2031-05-05T10:00:00Z".parse().expect("an instant");
    let version = Version::new("body", now, now);
    assert_eq!(version.last_modified(), "Mon, 05 May 2031 09:59:00 GMT");
    assert!(!version.is_held(None, Some(&version.last_modified())));
}

#[test]
fn tags_are_read_as_a_list() {
    let tag = |is_weak, opaque: &str| Tag { is_weak, opaque: opaque.to_owned() };
    for (text, expected) in [
        (r#""a""#, Some(vec![tag(false, r#""a""#)])),
        (
            r#" "a" , W/"b-gzip",,"c,d" "#,
            Some(vec![tag(false, r#""a""#), tag(true, r#""b""#), tag(false, r#""c,d""#)]),
        ),
        (r#""""#, Some(vec![tag(false, r#""""#)])),
        (" , ", Some(vec![])),
        ("a", None),
        (r#""a"#, None),
        (r#""a"b"#, None),
        (r#""a b""#, None),
        (r#""a" "b""#, None),
        (r#"w/"a""#, None),
        ("*", None),
    ] {
        assert_eq!(tags(text), expected, "{text}");
    }
}

#[test]
fn tag_of_a_compressed_answer_is_another_one_of_the_same_version() {
    let etag = etag(b"body");
    let compressed = compressed(&etag);
    assert_ne!(compressed, etag);
    assert!(matches(&compressed, &etag));
    assert_eq!(tags(&compressed), tags(&etag));
}

#[test]
fn tag_of_a_form_names_the_version_and_is_the_tag_of_no_other_form() {
    let version = etag(b"body");
    // The form in which changes answer.
    assert_eq!(of_form(&version, b"body"), version);
    let [one, other] = [b"one", b"two"].map(|body: &[u8; 3]| of_form(&version, body));
    assert!(one != other && one != version, "{one} {other}");
    for tag in [&version, &one, &other, &compressed(&one)] {
        let read = tags(tag).expect("tags");
        assert_eq!(read[0].version(), version, "{tag}");
    }
    assert!(matches(&compressed(&one), &one) && !matches(&one, &other) && !matches(&version, &one));
    assert!(!matches(&one, &version));
}
