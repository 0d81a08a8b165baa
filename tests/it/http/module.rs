//! A module has one name, and what it says of itself is said once.

use std::collections::BTreeSet;

use appointd::http::description::INTERNAL_PATHS;
use serde_json::Value;

use crate::{
    db::statements::root,
    harness::{document, operations, schemas, system},
};

/// The modules with operations, in the order of the description.
fn modules() -> Vec<&'static str> {
    groups().map(|group| group["name"].as_str().expect("a name")).collect()
}

/// The tags of the description, grouped by module.
fn groups() -> impl Iterator<Item = &'static Value> {
    document()["x-tagGroups"].as_array().expect("groups").iter()
}

#[tokio::test]
async fn module_has_one_name_in_the_source_the_database_and_the_tests() {
    let schemas = schemas(&system().superuser().await).await;
    for module in modules() {
        for folder in ["src", "sql/queries", "tests/it"] {
            assert!(root().join(folder).join(module).is_dir(), "{folder}/{module}");
        }
        assert!(schemas.iter().any(|schema| schema == module), "the schema {module}");
    }
    for schema in schemas.iter().filter(|schema| !["app", "public"].contains(&schema.as_str())) {
        assert!(root().join("src").join(schema).is_dir(), "the schema {schema} belongs to no module");
    }
}

#[test]
fn modules_are_described_in_the_order_of_their_operations() {
    let mut used: Vec<_> = operations()
        .into_iter()
        .filter(|operation| !operation.path.starts_with(INTERNAL_PATHS))
        .map(|operation| {
            let tag = &operation.value["tags"][0];
            let mut of =
                groups().filter(|group| group["tags"].as_array().is_some_and(|tags| tags.contains(tag)));
            let group = of.next().unwrap_or_else(|| panic!("{}: {tag} is in no group", operation.id()));
            assert!(of.next().is_none(), "{tag} is in one group");
            group["name"].clone()
        })
        .collect();
    used.dedup();
    assert_eq!(used, modules(), "each module's operations stand together, in the order of the groups");
}

#[test]
fn tags_are_described_in_the_order_of_their_groups_and_none_has_most_operations() {
    let grouped: Vec<_> = groups().flat_map(|group| group["tags"].as_array().expect("tags")).collect();
    let tags = document()["tags"].as_array().expect("tags");
    assert_eq!(tags.iter().map(|tag| &tag["name"]).collect::<Vec<_>>(), grouped);
    for tag in tags {
        let name = &tag["name"];
        assert!(tag["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        let of = operations().iter().filter(|operation| operation.value["tags"][0] == *name).count();
        assert!((1..=20).contains(&of), "{name} has {of} operations");
    }
}

#[tokio::test]
async fn plans_and_operations_know_the_features_that_the_database_has() {
    let features: Vec<String> = system()
        .superuser()
        .await
        .query_one("select array_agg(feature) from tenancy.features", &[])
        .await
        .expect("features")
        .get(0);
    let features: BTreeSet<&str> = features.iter().map(String::as_str).collect();
    let described =
        document()["components"]["schemas"]["Features"]["properties"].as_object().expect("fields");
    assert_eq!(described.keys().map(String::as_str).collect::<BTreeSet<_>>(), features);
    for operation in operations() {
        if let Some(feature) = operation.value["x-required-feature"].as_str() {
            assert!(features.contains(feature), "{}: {feature}", operation.id());
        }
    }
}
