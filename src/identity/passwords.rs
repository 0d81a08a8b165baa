//! Password strength, and Argon2id hashing on blocking threads, apart from the threads that serve requests.

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

/// How long a sign-in waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which passwords are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// At least 8 characters and not easily guessed.
    Strict,
    /// At least 6 characters. For `appointd dev` alone, whose sign-ins are known.
    Development,
}

impl Policy {
    /// How many characters a password has at least.
    pub const fn shortest(self) -> usize {
        match self {
            Self::Strict => 8,
            Self::Development => 6,
        }
    }
}

/// A password to set.
pub type NewPassword = Password<{ Policy::Strict.shortest() }>;

/// Hashes and verifies, a few at a time: each takes some 20 MB and 20 ms of a core.
pub struct Passwords {
    policy: Policy,
    permits: Arc<Semaphore>,
    /// Verified in place of a stored hash if no account has the e-mail address, so that both cases take the same time.
    decoy: String,
}

impl Passwords {
    pub fn new(policy: Policy) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            policy,
            permits: Arc::new(Semaphore::new((cores / 2).max(1))),
            decoy: hash("a password of no account").unwrap_or_default(),
        }
    }

    /// Hashes a new password. Fails with a problem on `field` if the password is too weak for a person with these
    /// names.
    pub async fn hash_new(
        &self,
        field: &'static str,
        password: &NewPassword,
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

    /// Waits for a permit to compare one password. Call it before the attempt is counted: a sign-in that is rejected
    /// because many happen at once must not count as a guess.
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
                "Too many sign-ins at once; try again.",
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))),
        }
    }
}

/// A permit to compare one password.
pub struct Turn {
    permit: OwnedSemaphorePermit,
    decoy: String,
}

impl Turn {
    /// Compares the password with the hash. Takes the same time without a hash, and then never succeeds.
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
        // Held until the work is done, even if the client has disconnected.
        let _permit = permit;
        job()
    })
    .await
    .map_err(|error| {
        tracing::error!(%error, "hashing panicked");
        Problem::internal()
    })
}

/// What is wrong with a new password; `None` if it is strong enough.
fn weakness(field: &str, policy: Policy, password: &str, names: &[String]) -> Option<FieldError> {
    let refuse = |code: &str, detail: String| Some(FieldError::new(field, code, detail));
    let shortest = policy.shortest();
    if password.chars().count() < shortest {
        return refuse("too_short", format!("at least {shortest} characters"));
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

/// The part of a password whose strength is estimated. The cost of estimating grows with the length, and a password
/// whose beginning is hard to guess is hard to guess as a whole.
fn start_of(text: &str) -> String {
    text.chars().take(32).collect()
}

/// The result of a successful comparison.
#[derive(Debug)]
pub struct Verified {
    /// A new hash with today's parameters, if the stored one was made with other parameters or by bcrypt (imported
    /// accounts).
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

/// Hashes a password with a random salt.
pub fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}
