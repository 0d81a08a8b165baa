//! Generates the client from the description that `APPOINTD_DESCRIPTION` names.

use std::{env, fs, path::Path};

use progenitor::{GenerationSettings, Generator, InterfaceStyle};

fn main() {
    println!("cargo:rerun-if-env-changed=APPOINTD_DESCRIPTION");
    let path = env::var("APPOINTD_DESCRIPTION").unwrap_or_else(|_| "../../openapi/openapi.json".to_owned());
    println!("cargo:rerun-if-changed={path}");
    let description = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    // progenitor gives a type to bodies of `application/json` alone, and a problem is JSON as well.
    let description = description.replace("application/problem+json", "application/json");
    let description = serde_json::from_str(&description).expect("a description");

    let mut settings = GenerationSettings::new();
    settings.with_interface(InterfaceStyle::Builder);
    let client = Generator::new(&settings).generate_tokens(&description).expect("a client");
    let client = prettyplease::unparse(&syn::parse2(client).expect("Rust"));
    let folder = env::var("OUT_DIR").expect("a folder");
    fs::write(Path::new(&folder).join("client.rs"), client).expect("a writable folder");
}
