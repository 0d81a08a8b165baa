//! Rules of the house that no compiler knows.

use crate::statements::sources;

#[test]
fn arrows_between_modules_point_one_way() {
    let forbidden = [
        (
            "src/db",
            &[
                "crate::http",
                "crate::api",
                "crate::scheduling",
                "crate::crm",
                "crate::identity",
                "crate::tenancy",
            ][..],
        ),
        ("src/http", &["crate::api", "crate::scheduling", "crate::crm", "crate::identity", "crate::tenancy"]),
        ("src/identity", &["crate::scheduling", "crate::crm", "crate::tenancy", "crate::api"]),
        ("src/tenancy", &["crate::scheduling", "crate::crm", "crate::api"]),
        ("src/crm", &["crate::scheduling", "crate::api"]),
        ("src/scheduling", &["crate::api", "sql!(\"crm", "sql!(\"tenancy", "sql!(\"identity"]),
        (
            "src/messaging",
            &[
                "crate::scheduling",
                "crate::crm",
                "crate::identity",
                "crate::tenancy",
                "crate::operations",
                "crate::api",
            ],
        ),
        ("src/operations", &["crate::scheduling", "crate::crm", "crate::identity", "crate::tenancy"]),
    ];
    for (folder, words) in forbidden {
        for (name, text) in sources(folder) {
            for word in words {
                assert!(!text.contains(word), "{name} knows {word}");
            }
        }
    }
}

#[test]
fn only_the_door_knows_the_pool() {
    for (name, text) in sources("src") {
        if !["src/db/tx.rs", "src/db/connection.rs"].iter().any(|door| name.ends_with(door)) {
            assert!(!text.contains("deadpool"), "{name}");
        }
    }
}
