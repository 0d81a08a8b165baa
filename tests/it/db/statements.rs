//! Every statement is a file, is used, and fits the migrated schema. Parameters and columns are checked in beside this,
//! so that a migration that changes a type shows in review.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{snapshot, system};

pub fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The files below a folder whose names end so, in the order of their paths.
pub fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { files_below(&path, ending) } else { vec![path] }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    files.sort();
    files
}

/// Name and text of every statement the server may send.
pub fn files() -> Vec<(String, String)> {
    let folder = root().join("sql/queries");
    files_below(&folder, "sql")
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).expect("below it").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a file"))
        })
        .collect()
}

/// Path, from the root of the project, and text of every source below a folder.
pub fn sources(folder: &str) -> Vec<(String, String)> {
    files_below(&root().join(folder), "rs")
        .into_iter()
        .map(|path| (path.to_string_lossy().into_owned(), fs::read_to_string(path).expect("a file")))
        .collect()
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let api = system().connect("appointd_api").await;
    let mut text = String::new();
    for (name, sql) in files() {
        let statement = api.prepare(&sql).await.unwrap_or_else(|error| {
            panic!("{name}: {}", error.as_db_error().map_or("", |error| error.message()))
        });
        let parameters: Vec<_> = statement.params().iter().map(ToString::to_string).collect();
        let columns: Vec<_> = statement
            .columns()
            .iter()
            .map(|column| format!("{} {}", column.name(), column.type_()))
            .collect();
        writeln!(text, "{name}\n    ({})\n    -> {}", parameters.join(", "), columns.join(", "))
            .expect("text");
        if sql.starts_with("-- $1 tenant_id") {
            assert_eq!(parameters[0], "uuid", "{name}");
        }
    }
    snapshot("tests/it/statements.txt", &text);
}

#[test]
fn every_statement_is_used_and_names_its_parameters() {
    let sources: String = sources("src").into_iter().map(|(_, text)| text).collect();
    for (name, sql) in files() {
        assert!(sources.contains(&format!("sql!(\"{name}\")")), "{name} is not used");
        // Up to the first empty line of the comment.
        let head: Vec<_> = sql.lines().map_while(|line| line.strip_prefix("-- ")).collect();
        let head = head.join(" ");
        assert!(head.starts_with("$1 ") || head.starts_with("no parameters; "), "{name}: {head}");
        let highest = (1..).take_while(|n| sql.contains(&format!("${n}"))).last().unwrap_or(0);
        for n in 1..=highest {
            assert!(head.contains(&format!("${n}")), "{name} does not say what ${n} is");
        }
        for line in sql.lines().filter(|line| !line.trim_start().starts_with("--")) {
            assert_eq!(line.to_lowercase(), line, "{name} is in lower case");
        }
    }
}

#[test]
fn source_contains_no_sql_statement() {
    let words = ["select ", "insert into ", "update ", "delete from ", "set local ", "truncate "];
    for (name, text) in sources("src") {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("//") {
                continue;
            }
            for word in words {
                let statement = line.contains(&format!("\"{word}"))
                    || line.to_lowercase().contains(&format!("r#\"{word}"));
                assert!(!statement, "{name}:{}: {line}", number + 1);
            }
        }
        // The only ways to a statement that is no file.
        if !name.ends_with("src/db/sql.rs") {
            assert!(!text.contains("Sql::from_file"), "{name}");
        }
    }
}
