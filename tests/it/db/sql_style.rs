//! SQL is laid out alike in every file, so that it reads alike and a difference is a difference.

use std::fs;

use super::statements::{files_below, root};

/// Of PostgreSQL: those that files here use.
const KEYWORDS: &str = "\
    ADD ALL ALTER ALWAYS AND ANY ARRAY AS ASC ATTACH BEGIN BETWEEN BIGINT BOOLEAN BY BYTEA CALL CASCADE CASE CHECK \
    COALESCE COLUMN COMMENT CONFLICT CONSTRAINT CREATE CROSS DATE DECLARE DEFAULT DEFINER DELETE DESC DISTINCT DO \
    DROP EACH ELSE ELSIF ENABLE END EXCEPTION EXCLUDE EXECUTE EXISTS EXTENSION FALSE FOR FORCE FOREIGN FROM FUNCTION \
    GENERATED GRANT GROUP HAVING IF IMMUTABLE IN INDEX INSERT INTEGER INTERVAL INTO IS JOIN JSONB KEY LANGUAGE \
    LATERAL LEFT LIKE LIMIT LOCAL LOOP NAME NOT NOW NULL NULLIF ON OR ORDER OVER OWNER PARTITION PERFORM PERMISSIVE \
    POLICY PRIMARY PROCEDURE RAISE REFERENCES REPLACE RESET RESTRICTIVE RETURN RETURNING RETURNS REVOKE ROLE ROW \
    SCHEMA SECURITY SELECT SET SMALLINT SQL STABLE STORED TABLE TEXT THEN TIMESTAMPTZ TO TRIGGER TRUE TRUNCATE UNION \
    UNIQUE UPDATE USAGE USING UUID VALUES VOLATILE WHEN WHERE WITH";

#[test]
fn every_sql_file_follows_the_style() {
    let mut faults = Vec::new();
    for path in files_below(&root().join("sql"), "sql") {
        let name = path.strip_prefix(root()).expect("below it").display().to_string();
        let text = fs::read_to_string(&path).expect("a file");
        faults.extend(faults_of(&text).into_iter().map(|(line, fault)| format!("{name}:{line}: {fault}")));
        let lines = text.lines().count();
        if lines > 400 && !name.starts_with("sql/schema") {
            faults.push(format!("{name}: {lines} lines; a file has at most 400"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn style_faults_in_strings_and_comments_are_ignored() {
    let text = "-- SELECT\nselect 'SELECT ''FROM\n WHERE', \"ORDER\" -- FROM\nas $$ begin\n  SELECT 1 \n end $$\t;\n";
    let long = format!("{text}{}\n", "x".repeat(121));
    let found: Vec<_> = faults_of(&long).into_iter().map(|(line, fault)| format!("{line} {fault}")).collect();
    assert_eq!(
        found,
        ["5 white space at the end", "6 a tab", "7 longer than 120 characters", "5 SELECT in upper case"]
    );
}

/// Number of the line and what is wrong with it.
fn faults_of(text: &str) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.chars().count() > 120 {
            faults.push((number, "longer than 120 characters".to_owned()));
        }
        if line.contains('\t') {
            faults.push((number, "a tab".to_owned()));
        }
        if line.trim_end() != line {
            faults.push((number, "white space at the end".to_owned()));
        }
    }
    for (line, number) in bare(text).lines().zip(1..) {
        for word in line.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
            if !word.is_empty() && KEYWORDS.split(' ').any(|keyword| keyword == word) {
                faults.push((number, format!("{word} in upper case")));
            }
        }
    }
    faults
}

/// The text with its lines, without comments, strings and quoted names. Bodies of functions are code and stay.
fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '-' if letters.peek() == Some(&'-') => {
                while letters.peek().is_some_and(|letter| *letter != '\n') {
                    letters.next();
                }
            }
            // A doubled quote ends one string and begins another.
            '\'' | '"' => {
                for inside in letters.by_ref().take_while(|inside| *inside != letter) {
                    if inside == '\n' {
                        bare.push('\n');
                    }
                }
                bare.push(' ');
            }
            _ => bare.push(letter),
        }
    }
    bare
}
