//! The files of `sql` that the audit is made of, as lists: a new rule or statement is a new file and nothing else.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    // A new migration is a new file: without this line cargo would not notice it.
    println!("cargo:rerun-if-changed=sql");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("sql");
    let lists = [
        list("RULES", "`<theme>/<rule>` and the text of its file.", &root.join("audit"))?,
        list("STATEMENTS", "Every statement the server may send.", &root.join("queries"))?,
    ];
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("files.rs"), lists.concat())?;
    Ok(())
}

/// A constant with the name and the text of each `.sql` file in the folders of a folder.
fn list(name: &str, about: &str, folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    for themes in fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()? {
        if themes.file_type()?.is_dir() {
            for file in fs::read_dir(themes.path())?.collect::<Result<Vec<_>, _>>()? {
                files.push(file.path());
            }
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let mut code = format!("/// {about}\npub const {name}: &[(&str, &str)] = &[\n");
    for file in files {
        let id = file.strip_prefix(folder)?.with_extension("");
        writeln!(
            code,
            "    ({:?}, include_str!({:?})),",
            id.display().to_string(),
            file.display().to_string()
        )?;
    }
    code.push_str("];\n");
    Ok(code)
}
