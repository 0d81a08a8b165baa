//! Every parser, against generated input: none panics, and what one accepts it writes and reads again as the same.

use std::str::FromStr as _;

use appointd::{
    config::{RawSettings, Settings},
    db::Pass,
    http::{
        client::{Network, canonical},
        name::Name,
        page::Cursor,
        secret::{ApiKey, CalendarFeed, Secret},
        token::{Kind, SigningKey, Tokens},
        values::{
            Color, Currency, Date, DomainName, EmailAddress, HttpsUrl, IdempotencyKey, Instant,
            InstantOrDate, Language, LanguageTag, Number, Password, Slug, Text, TimeOfDay, TimeZone, WebUrl,
        },
    },
    identity::second_factors,
};
use chrono::Utc;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::harness::KEY;

/// Anything; and things nearly right, which get further.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "[a-z0-9.@+_-]{0,70}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,12})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?",
        "[0-9]{1,2}:[0-9]{1,2}",
        "(Europe|America|Etc|asia)/[A-Za-z_+-]{1,20}",
        "(https?|ftp|javascript)://[ -~]{0,40}",
        "(appointd_key_|appointd_calendar_)?[A-Za-z0-9_-]{0,90}",
        "[\u{0}-\u{20}\u{7f}-\u{a0}\u{200b}-\u{202f}\u{feff}]{0,5}[a-z]{0,5}",
        "\\PC{0,80}",
    ]
}

/// Taken or refused; and what is taken is taken again as the same.
fn is_stable<T: DeserializeOwned + Serialize>(value: &Value) -> Result<(), TestCaseError> {
    if let Ok(parsed) = serde_json::from_value::<T>(value.clone()) {
        let written = serde_json::to_value(&parsed).expect("what was read can be written");
        let again = serde_json::from_value::<T>(written.clone());
        prop_assert!(again.is_ok(), "{} takes {value} and not {written}", std::any::type_name::<T>());
        prop_assert_eq!(serde_json::to_value(again.ok()).expect("JSON"), written.clone());
        let held = written.as_str().unwrap_or_default();
        prop_assert!(!held.contains('\0'), "{} lets NUL through: {value}", std::any::type_name::<T>());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_values_are_parsed_stably(text in text()) {
        let value = json!(text);
        is_stable::<Text<1, 100>>(&value)?;
        is_stable::<Text<0, 2000>>(&value)?;
        is_stable::<Name<100>>(&value)?;
        is_stable::<EmailAddress>(&value)?;
        is_stable::<Slug>(&value)?;
        is_stable::<TimeZone>(&value)?;
        is_stable::<Instant>(&value)?;
        is_stable::<Date>(&value)?;
        is_stable::<TimeOfDay<false>>(&value)?;
        is_stable::<TimeOfDay<true>>(&value)?;
        is_stable::<DomainName>(&value)?;
        is_stable::<IdempotencyKey>(&value)?;
        is_stable::<HttpsUrl>(&value)?;
        is_stable::<WebUrl>(&value)?;
        is_stable::<Color>(&value)?;
        is_stable::<Currency>(&value)?;
        is_stable::<Language>(&value)?;
        is_stable::<LanguageTag>(&value)?;
        is_stable::<Cursor>(&value)?;
        // These are never written.
        let _ = serde_json::from_value::<Password>(value.clone());
        let _ = serde_json::from_value::<InstantOrDate>(value.clone());
        prop_assert!(serde_json::from_value::<Number<1, 100>>(value).is_err());
    }

    #[test]
    fn json_values_of_any_type_are_parsed_stably(number in any::<i64>(), real in any::<f64>()) {
        for value in [json!(number), json!(real), json!([number]), json!({ "a": real }), json!(null), json!(true)] {
            is_stable::<Number<1, 100>>(&value)?;
            prop_assert!(serde_json::from_value::<Number<1, 100>>(value.clone()).is_ok_and(|n| (1..=100).contains(&n.0))
                || !value.as_i64().is_some_and(|n| (1..=100).contains(&n)));
            is_stable::<Text<0, 10>>(&value)?;
            is_stable::<Instant>(&value)?;
            is_stable::<Cursor>(&value)?;
        }
    }

    #[test]
    fn cursors_of_any_bytes_are_parsed_or_refused(bytes in any::<[u8; 24]>()) {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let value = json!(URL_SAFE_NO_PAD.encode(bytes));
        is_stable::<Cursor>(&value)?;
        if let Ok(cursor) = serde_json::from_value::<Cursor>(value) {
            // What PostgreSQL has as well.
            prop_assert!((0..1 << 55).contains(&cursor.time.timestamp_micros()));
        }
    }

    #[test]
    fn secrets_are_parsed_for_their_purpose_only(text in text(), bytes in any::<[u8; 64]>()) {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        prop_assert!(Secret::<CalendarFeed>::parse(&text).map_or(true, |secret| secret.reveal() == text));
        prop_assert!(Secret::<ApiKey>::parse(&text).map_or(true, |secret| secret.reveal() == text));
        let whole = format!("appointd_key_{}", URL_SAFE_NO_PAD.encode(bytes));
        prop_assert!(Secret::<CalendarFeed>::parse(&whole).is_err(), "one for another purpose");
        let secret = Secret::<ApiKey>::parse(&whole).map_err(TestCaseError::fail)?;
        prop_assert_eq!(secret.reveal(), whole);
    }

    #[test]
    fn tokens_with_a_changed_character_are_refused(text in text(), cut in 0usize..400, with in any::<char>()) {
        let tokens = Tokens::new(&[SigningKey::from_bytes(KEY)], &[SigningKey::from_bytes(KEY)]).expect("a key");
        prop_assert!(tokens.verify(&text, Kind::Access).is_err());
        let token = tokens.link_to(uuid::Uuid::nil(), uuid::Uuid::nil(), Pass([1; 16])).expect("a token");
        let at = cut % token.len();
        let mut broken = token.clone();
        broken.replace_range(at..=at, &with.to_string());
        prop_assert!(broken == token || tokens.managed(&broken).is_err(), "one character is another: {broken}");
        prop_assert!(tokens.managed(&token).is_ok());
    }

    #[test]
    fn hosts_of_any_text_are_parsed_stably(text in text()) {
        let network = Network { base_domain: Some("example.com".to_owned()), ..Network::default() };
        let _ = network.classify(&text);
        let _ = network.origin(&text);
        if let Some(name) = canonical(&text) {
            prop_assert!(name.starts_with('[') || canonical(&name).as_deref() == Some(name.as_str()), "{text:?}: {name:?}");
        }
    }

    #[test]
    fn settings_of_any_text_are_parsed_or_refused(text in text()) {
        let given = RawSettings {
            database_url: Some(text.clone()),
            door_database_url: Some(text.clone()),
            no_requests: false,
            worker_database_url: Some(text.clone()),
            no_worker: false,
            webhook_networks: Some(text.clone()),
            token_keys: Some(text.clone()),
            link_keys: Some(text.clone()),
            listen: Some(text.clone()),
            tls_certificate: Some(text.clone()),
            tls_key: Some(text.clone()),
            operations_listen: Some(text.clone()),
            lame_duck: Some(text.clone()),
            threads: Some(text.clone()),
            jobs: Some(text.clone()),
            connections: Some(text.clone()),
            base_domain: Some(text.clone()),
            trusted_proxies: Some(text.clone()),
            rate_limits: Some(text.clone()),
            mail_url: None,
            mail_from: Some(text.clone()),
            public_url: Some(text.clone()),
            dns: Some(text.clone()),
            captcha_url: Some(text.clone()),
            captcha_secret: Some(text.clone()),
            log_level: Some(text.clone()),
            log_format: Some(text.clone()),
        };
        // One text is never right for all of them: the mistakes are named.
        if let Err(mistakes) = Settings::new(given) {
            prop_assert!(!mistakes.0.is_empty());
        }
        let _ = SigningKey::parse(&text);
    }

    #[test]
    fn second_factor_codes_of_any_text_do_not_panic(text in text()) {
        let _ = second_factors::read(&text, b"01234567890123456789", Utc::now());
        let _ = uuid::Uuid::from_str(&text);
    }
}
