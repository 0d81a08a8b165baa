//! Rules of the house that no compiler knows.

use std::{fs, path::Path};

fn sources(folder: &Path) -> Vec<(String, String)> {
    fs::read_dir(folder)
        .expect("a folder")
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => sources(&path),
                false => {
                    vec![(path.to_string_lossy().into_owned(), fs::read_to_string(&path).expect("a file"))]
                }
            }
        })
        .collect()
}

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
        ("src/operations", &["crate::scheduling", "crate::crm", "crate::identity", "crate::tenancy"]),
    ];
    for (folder, words) in forbidden {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for (name, text) in sources(&folder) {
            for word in words {
                assert!(!text.contains(word), "{name} knows {word}");
            }
        }
    }
}

#[test]
fn only_the_door_knows_the_pool() {
    for (name, text) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if !name.ends_with("src/db/tx.rs") {
            assert!(!text.contains("deadpool"), "{name}");
        }
    }
}
