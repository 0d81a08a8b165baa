//! The database URLs among the settings.

use super::mistakes::Mistakes;
use crate::db::{DatabaseUrl, UrlError};

/// A database URL among the settings, by the role it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Server,
    FrontDoor,
    Worker,
    Owner,
    Auditor,
}

impl Database {
    /// The name of the setting.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Server => "APPOINTD_DATABASE_URL",
            Self::FrontDoor => "APPOINTD_DOOR_DATABASE_URL",
            Self::Worker => "APPOINTD_WORKER_DATABASE_URL",
            Self::Owner => "APPOINTD_OWNER_DATABASE_URL",
            Self::Auditor => "APPOINTD_AUDITOR_DATABASE_URL",
        }
    }

    /// The role that it is to be reached as.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Server => "appointd_api",
            Self::FrontDoor => "appointd_door",
            Self::Worker => "appointd_worker",
            Self::Owner => "appointd_owner",
            Self::Auditor => "appointd_auditor",
        }
    }

    /// Reads the setting, which is required. An error does not repeat it: it may hold a password.
    pub fn read(self, given: Option<&str>) -> Result<DatabaseUrl, Mistakes> {
        let (name, role) = (self.setting(), self.role());
        let Some(text) = given.filter(|text| !text.is_empty()) else {
            return Err(Mistakes(vec![format!(
                "{name} is not set; it is a URL such as postgresql://{role}@localhost/appointd"
            )]));
        };
        text.parse::<DatabaseUrl>().map_err(|error| {
            Mistakes(match error {
                UrlError::Malformed(reason) => vec![format!(
                    "{name} is not a PostgreSQL URL, such as postgresql://{role}@localhost/appointd: {reason}"
                )],
                UrlError::WithoutHost => vec![format!(
                    "{name} names no host; for a Unix socket it is a URL such as \
                     postgresql:///appointd?host=/run/postgresql&user={role}"
                )],
                UrlError::Tls(mistakes) => {
                    mistakes.into_iter().map(|mistake| format!("{name}: {mistake}")).collect()
                }
            })
        })
    }
}
