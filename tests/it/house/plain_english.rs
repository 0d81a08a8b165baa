//! Everything that people read is plain technical English: the API description, the source with its comments, the SQL,
//! the documents, and the names of tests. A reader who is not a native speaker has to read some words and constructions
//! twice; none of them may come back.

use std::fs;

use crate::db::statements::{files_below, root};

/// Words, or words in a row, in lower case.
const AVOIDED: &[&str] = &[
    "whoever",
    "whomever",
    "whosever",
    "whatever",
    "somebody",
    "nobody",
    "anybody",
    "everybody",
    "anew",
    "where not given",
    "is over",
    "are over",
    "there is",
    "there are",
    "is there",
    "are there",
    "there was",
    "there were",
    "no such",
];

/// Folders, and how the names of the files end that are read in them.
const READ: &[(&str, &[&str])] = &[
    ("src", &["rs", "json", "html", "js", "css"]),
    ("sql", &["sql", "md"]),
    ("docs", &["md"]),
    ("openapi", &["json"]),
    ("benches", &["rs", "sql"]),
];

#[test]
fn texts_and_names_use_plain_words() {
    let mut texts = Vec::new();
    for (folder, endings) in READ {
        for path in endings.iter().flat_map(|ending| files_below(&root().join(folder), ending)) {
            texts.push((path.clone(), fs::read_to_string(&path).expect("a file")));
        }
    }
    for entry in fs::read_dir(root()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "md") {
            texts.push((path.clone(), fs::read_to_string(&path).expect("a file")));
        }
    }
    assert!(texts.len() > 500, "texts are found: {}", texts.len());
    // Of tests, their names.
    for path in files_below(&root().join("tests"), "rs") {
        let text = fs::read_to_string(&path).expect("a file");
        let names = text.lines().map(|line| if line.contains("fn ") { line } else { "" });
        texts.push((path, names.collect::<Vec<_>>().join("\n")));
    }
    let mut faults = Vec::new();
    for (path, text) in &texts {
        let name = path.strip_prefix(root()).expect("below it").display();
        faults.extend(avoided(text).map(|(line, words)| format!("{name}:{line}: {words}")));
    }
    assert!(faults.is_empty(), "{} places to rewrite:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn avoided_words_are_found_across_lines_and_punctuation() {
    let found = |text| avoided(text).collect::<Vec<_>>();
    assert_eq!(
        found("Somebody may. Maximum 50 where\nnot given."),
        [(1, "somebody"), (1, "where not given")]
    );
    assert_eq!(
        found("x\n// Once the notice is over, there\n// are none."),
        [(2, "is over"), (2, "there are")]
    );
    assert_eq!(found("name_of_nobody_is_refused()"), [(1, "nobody")]);
    assert!(found("Overlapping times are overdue; `nobody` is a user of Unix.").is_empty());
}

/// Number of the line, and the words.
fn avoided(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    let mut words = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let plain = line.replace("`nobody`", "").replace("\"nobody\"", "").to_lowercase();
        let found = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.extend(found.map(|word| (number, word.to_owned())));
    }
    (0..words.len()).flat_map(move |at| {
        let rest: Vec<_> = words[at..].iter().take(3).cloned().collect();
        let begins = move |avoided: &&&str| {
            let mut words = rest.iter().map(|(_, word)| word.as_str());
            avoided.split(' ').all(|word| words.next() == Some(word))
        };
        let line = words[at].0;
        AVOIDED.iter().filter(begins).map(move |avoided| (line, *avoided)).collect::<Vec<_>>()
    })
}
