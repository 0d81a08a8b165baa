//! Finds PostgreSQL's programs on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::error::{Error, OLDEST};

/// The programs of one PostgreSQL installation.
#[derive(Clone, Debug)]
pub struct Binaries {
    pub folder: PathBuf,
    /// The major version.
    pub version: u32,
}

impl Binaries {
    /// The installation that `APPOINTD_POSTGRES_BIN` names; else one of the wanted major version; else the first that
    /// is new enough, in the order that [`Error::NotFound`] lists.
    pub fn find(wanted: Option<u32>) -> Result<Self, Error> {
        if let Some(named) = std::env::var_os("APPOINTD_POSTGRES_BIN").map(PathBuf::from) {
            return Self::in_folder(&named).ok_or_else(|| Error::Failed {
                what: format!("APPOINTD_POSTGRES_BIN is {}", named.display()),
                why: format!("that folder has no PostgreSQL {OLDEST} or newer"),
            });
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let pg_config = Command::new("pg_config")
            .arg("--bindir")
            .output()
            .ok()
            .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        // Relative entries are skipped: the programs run in another folder.
        let found: Vec<_> = std::env::split_paths(&path)
            .chain(pg_config)
            .chain(usual_folders())
            .filter(|folder| folder.is_absolute())
            .filter_map(|folder| Self::in_folder(&folder))
            .collect();
        let same = found.iter().find(|binaries| Some(binaries.version) == wanted);
        same.or(found.first()).cloned().ok_or(Error::NotFound)
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let folder = &folder.canonicalize().ok()?;
        let postgres = folder.join("postgres");
        if !folder.join("initdb").is_file() || !postgres.is_file() {
            return None;
        }
        let output = Command::new(postgres).arg("--version").output().ok()?;
        // postgres (PostgreSQL) 15.18 (Debian …)
        let version = String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .nth(2)?
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()?;
        (version >= OLDEST).then(|| Self { folder: folder.to_owned(), version })
    }
}

/// Fails if a cluster could not be started, before anything is made for it.
pub fn find_programs() -> Result<(), Error> {
    Binaries::find(None).map(drop)
}

/// How psql is called here: by its name, or if the shell would not find that, by its path.
pub fn psql() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join("psql").is_file()) {
        return "psql".to_owned();
    }
    let beside = Binaries::find(None).map(|binaries| binaries.folder.join("psql"));
    beside.ok().filter(|psql| psql.is_file()).map_or("psql".to_owned(), |psql| psql.display().to_string())
}

/// Where distributions put the programs, newest version first.
fn usual_folders() -> Vec<PathBuf> {
    let versioned = [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
        ("/Library/PostgreSQL", "bin"),
    ];
    let mut folders: Vec<PathBuf> = versioned
        .iter()
        .flat_map(|(parent, bin)| {
            let entries = fs::read_dir(parent).into_iter().flatten().flatten();
            let mut found: Vec<_> = entries
                .filter(|entry| {
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    name.starts_with("pgsql-")
                        || name.starts_with("postgresql")
                        || name.parse::<f32>().is_ok()
                })
                .map(|entry| entry.path().join(bin))
                .collect();
            found.sort();
            found.into_iter().rev()
        })
        .collect();
    folders.push("/usr/local/pgsql/bin".into());
    folders
}
