//! Passwords: which are good enough, and hashing them with Argon2id away from the threads that serve requests.

use std::{sync::Arc, thread, time::Duration};

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use poem::http::{HeaderValue, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zxcvbn::{Score, zxcvbn};

use crate::http::{
    problem::{FieldError, Problem},
    values::Password,
};

const SHORTEST: usize = 8;
/// How long a sign-in waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which passwords are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// At least 8 characters, and not easily guessed.
    Strict,
    /// At least 8 characters. For `appointd dev` and its demo sign-ins alone.
    Development,
}

/// Hashes and verifies, a few at a time: each takes some 20 MB and 20 ms of a core.
pub struct Passwords {
    policy: Policy,
    permits: Arc<Semaphore>,
    /// What is verified where nobody has the e-mail address, so that it takes as long.
    decoy: String,
}

impl Passwords {
    pub fn new(policy: Policy) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            policy,
            permits: Arc::new(Semaphore::new((cores / 2).max(1))),
            decoy: hash("nobody's password").unwrap_or_default(),
        }
    }

    /// The hash of a new password of somebody with these names, or what is wrong with the field it came in.
    pub async fn hash_new(
        &self,
        field: &'static str,
        password: &Password,
        names: &[&str],
    ) -> Result<String, Problem> {
        let (policy, password) = (self.policy, password.clone());
        let names: Vec<String> = names.iter().map(|name| start_of(name)).collect();
        self.work(move || match weakness(field, policy, password.reveal(), &names) {
            Some(error) => Err(Problem::invalid(vec![error])),
            None => hash(password.reveal()).ok_or_else(|| {
                tracing::error!("a password could not be hashed");
                Problem::internal()
            }),
        })
        .await?
    }

    /// A turn at comparing a password. Taken before an attempt is counted: whoever is sent away because many sign in at
    /// once has not guessed anything.
    pub async fn turn(&self) -> Result<Turn, Problem> {
        Ok(Turn { permit: self.permit().await?, decoy: self.decoy.clone() })
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        work(self.permit().await?, job).await
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match tokio::time::timeout(PATIENCE, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "Too many people are signing in at this moment; try again.",
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))),
        }
    }
}

/// Leave to compare one password.
pub struct Turn {
    permit: OwnedSemaphorePermit,
    decoy: String,
}

impl Turn {
    /// Whether the password is the one that was hashed. Takes as long where there is no hash.
    pub async fn verify(
        self,
        password: &Password,
        hash: Option<String>,
    ) -> Result<Option<Verified>, Problem> {
        let password = password.clone();
        let exists = hash.is_some();
        let hash = hash.unwrap_or(self.decoy);
        let verified = work(self.permit, move || verify(password.reveal(), &hash)).await?;
        Ok(verified.filter(|_| exists))
    }
}

async fn work<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(move || {
        // Kept until the work is done, even where the client does not wait for it.
        let _permit = permit;
        job()
    })
    .await
    .map_err(|error| {
        tracing::error!(%error, "hashing panicked");
        Problem::internal()
    })
}

/// What is wrong with a new password; none where it will do.
fn weakness(field: &str, policy: Policy, password: &str, names: &[String]) -> Option<FieldError> {
    let refuse = |code: &str, detail: String| Some(FieldError::new(field, code, detail));
    if password.chars().count() < SHORTEST {
        return refuse("too_short", format!("at least {SHORTEST} characters"));
    }
    if policy == Policy::Development {
        return None;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let estimate = zxcvbn(&start_of(password), &names);
    if estimate.score() >= Score::Two {
        return None;
    }
    let warning = estimate
        .feedback()
        .and_then(|feedback| feedback.warning())
        .map(|warning| format!(" {warning}"))
        .unwrap_or_default();
    refuse(
        "too_guessable",
        format!("Too easily guessed.{warning} Three or four unrelated words make a good one."),
    )
}

/// As much as is looked at to estimate how long guessing takes: estimating takes ever longer with the length, and if
/// this much is hard to guess, so is the whole.
fn start_of(text: &str) -> String {
    text.chars().take(32).collect()
}

/// A password that was right.
#[derive(Debug)]
pub struct Verified {
    /// Its hash as it is made today, where the one there is was made otherwise: with other parameters, or by bcrypt, which
    /// imported accounts bring.
    pub rehashed: Option<String>,
}

fn verify(password: &str, stored: &str) -> Option<Verified> {
    if stored.starts_with("$2") {
        let matches = bcrypt::verify(password, stored).unwrap_or(false);
        return matches.then(|| Verified { rehashed: hash(password) });
    }
    let parsed = PasswordHash::new(stored).ok()?;
    Argon2::default().verify_password(password.as_bytes(), &parsed).ok()?;
    let today = Argon2::default();
    let current = parsed.algorithm.as_str() == "argon2id"
        && Params::try_from(&parsed).is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost())
                == (today.params().m_cost(), today.params().t_cost(), today.params().p_cost())
        });
    Some(Verified { rehashed: if current { None } else { hash(password) } })
}

/// The hash of a password, with a salt of its own.
pub fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}
