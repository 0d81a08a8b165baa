//! A module has one name, and what it says of itself is said once.

use std::collections::BTreeSet;

use crate::{
    db::statements::root,
    harness::{document, operations, schemas, system},
};

/// The modules with operations, in the order of the description.
fn modules() -> Vec<&'static str> {
    let tags = document()["tags"].as_array().expect("tags");
    tags.iter().map(|tag| tag["name"].as_str().expect("a name")).collect()
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
    let mut tags: Vec<_> =
        operations().into_iter().map(|operation| operation.value["tags"][0].clone()).collect();
    tags.dedup();
    assert_eq!(tags, modules(), "each module's operations stand together, in the order of the tags");
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
