//! Second factors: time-based one-time passwords (RFC 6238), and recovery codes in case the authenticator is lost.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use totp_rs::{Algorithm, Builder, Secret as TotpSecret, Totp};

use super::{passwords::Passwords, recovery};
use crate::{
    db::{Db, FrontDoor, Tx, row},
    http::{
        caller::SignedIn,
        json::{Json, NoContent},
        problem::{ApiError, Failure, Problem, Writing},
        secret,
        values::{Password, Text},
    },
    sql,
};

/// How many recovery codes an account gets.
const RECOVERY_CODES: usize = 10;
/// Length of a recovery code in letters and digits, 5 bits each.
const RECOVERY_LENGTH: usize = 16;

/// The kind of a code.
pub enum Code {
    /// A code from the authenticator, valid for this step of 30 seconds.
    Step(i64),
    /// A code with the form of a recovery code: its SHA-256.
    Recovery([u8; 32]),
}

/// Reads a typed code. `None` if it is neither a current code of the authenticator nor has the form of a recovery code.
pub fn read(code: &str, secret: &[u8], now: DateTime<Utc>) -> Option<Code> {
    let plain: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if plain.len() == 6 {
        let now = u64::try_from(now.timestamp()).ok()?;
        let step = totp(secret, "account")?.check(&plain, now)?;
        return i64::try_from(step).ok().map(Code::Step);
    }
    (plain.len() == RECOVERY_LENGTH).then(|| Code::Recovery(recovery_hash(&plain)))
}

fn totp(secret: &[u8], account: &str) -> Option<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(secret.to_vec())
        .with_account_name(account.replace(':', "."))
        .with_issuer(Some("appointd"))
        .build()
        .ok()
}

fn recovery_hash(plain: &str) -> [u8; 32] {
    Sha256::digest(plain.to_ascii_lowercase()).into()
}

/// A new recovery code: 80 random bits, in groups of four characters.
fn recovery_code() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let code: Vec<char> = secret::random()
        .iter()
        .take(RECOVERY_LENGTH)
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    code.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

/// The password again: required for changes to how the account signs in.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PasswordAgain {
    /// The password of the account.
    pub password: Password,
}

impl Example for PasswordAgain {
    fn example() -> Self {
        Self { password: Password::parse("three small brass kettles").expect("a password") }
    }
}

/// The password and a code, to remove the second factor.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SecondFactorRemoval {
    /// The password of the account.
    pub password: Password,
    /// The six digits from the authenticator app, or a recovery code.
    pub code: Text<6, 40>,
}

impl Example for SecondFactorRemoval {
    fn example() -> Self {
        Self {
            password: Password::parse("three small brass kettles").expect("a password"),
            code: Text::parse("123456").expect("six digits"),
        }
    }
}

/// The shared secret to enter into an authenticator app.
#[derive(Debug, Object, Serialize)]
pub struct SecondFactor {
    /// The shared secret, in base32.
    pub secret: String,
    /// The secret as an `otpauth://` URL for a QR code (Key Uri Format).
    pub otpauth_url: String,
}

/// A code from the authenticator app.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SecondFactorConfirmation {
    /// The six digits that the app shows now.
    pub code: Text<6, 6>,
}

impl Example for SecondFactorConfirmation {
    fn example() -> Self {
        Self { code: Text::parse("123456").expect("six digits") }
    }
}

/// Recovery codes, for signing in without the authenticator.
#[derive(Debug, Object, Serialize)]
pub struct RecoveryCodes {
    /// Each can be used once instead of a code from the app. Returned only once.
    pub recovery_codes: Vec<String>,
}

/// The answer to the start of a setup. Nothing began if the address is not verified or a second factor exists.
struct Begun {
    email: String,
    verified: bool,
    begun: bool,
}

row! {
    Begun { email, verified, begun }
}

pub struct SecondFactorsApi {
    pub db: Db,
    pub door: FrontDoor,
    pub passwords: Arc<Passwords>,
}

#[OpenApi(prefix_path = "/api/v1/auth/second-factor")]
impl SecondFactorsApi {
    /// Set up a second factor
    ///
    /// Returns a new secret for an authenticator app. The second factor takes effect when it is confirmed; calling this
    /// again replaces an unconfirmed secret. 403 `email_not_verified` until the account's e-mail address is verified.
    /// 409 `second_factor_active` if the account has a second factor: remove it first. 422 `wrong_password` on
    /// `password`. 429 `too_many_attempts` after too many wrong passwords, `too_many_requests` as for logging in.
    #[oai(path = "/", method = "post", operation_id = "begin_second_factor")]
    async fn begin(
        &self,
        caller: SignedIn,
        body: Json<PasswordAgain>,
    ) -> Result<Json<SecondFactor>, ApiError<Writing>> {
        recovery::check_password(&self.door, &self.passwords, &caller, "password", &body.0.password).await?;
        // 160 bits, as RFC 4226 section 4 recommends.
        let bytes = &secret::random()[..20];
        let Begun { email, verified, begun } =
            self.db.one(&caller, sql!("identity/second_factors_begin.sql" as Begun), &[&bytes]).await?;
        if !verified {
            Err(Problem::email_not_verified())?;
        }
        if !begun {
            Err(Problem::conflict(
                "second_factor_active",
                "The account has a second factor. Remove it first.",
            ))?;
        }
        let totp = totp(bytes, &email).ok_or_else(Problem::internal)?;
        Ok(Json(SecondFactor {
            secret: TotpSecret::from(bytes.to_vec()).to_base32(),
            otpauth_url: totp.to_url().map_err(|_| Problem::internal())?,
        }))
    }

    /// Confirm the second factor
    ///
    /// Requires a code, which proves that the app has the secret. From now on, signing in requires a code. Returns the
    /// recovery codes. 409 `second_factor_absent` if no setup was started. 422 on `code` if the code is wrong. 429
    /// `too_many_attempts` after ten wrong codes.
    #[oai(path = "/confirm", method = "post", operation_id = "confirm_second_factor")]
    async fn confirm(
        &self,
        caller: SignedIn,
        body: Json<SecondFactorConfirmation>,
    ) -> Result<Json<RecoveryCodes>, ApiError<Writing>> {
        recovery::code_attempt(&self.door, Some(caller.person()), caller.claims.sub).await?;
        let recovery_codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
        let hashes: Vec<Vec<u8>> =
            recovery_codes.iter().map(|code| recovery_hash(&code.replace('-', "")).to_vec()).collect();
        let confirming = self.db.attempt(&caller, async |mut tx: Tx, _| -> Result<(), Failure> {
            let (secret,) = tx
                .optional(sql!("identity/second_factors_get_unconfirmed.sql" as (Vec<u8>,)), &[])
                .await?
                .ok_or_else(|| {
                    Problem::conflict("second_factor_absent", "No setup of a second factor was started.")
                })?;
            let Some(Code::Step(step)) = read(&body.0.code, &secret, Utc::now()) else {
                return Err(Problem::invalid_field(
                    "code",
                    "invalid_value",
                    "expected the six digits that the app shows now; check the clock of its device",
                ))?;
            };
            tx.all(sql!("identity/second_factors_confirm.sql"), &[&step, &hashes]).await?;
            tx.commit_with(sql!("identity/second_factors_code_given.sql"), &[]).await?;
            Ok(())
        });
        confirming.await?;
        Ok(Json(RecoveryCodes { recovery_codes }))
    }

    /// Remove the second factor
    ///
    /// Also removes the recovery codes. 409 `second_factor_absent` if the account has no second factor. 422 on
    /// `password` or `code` if it is wrong. 429 `too_many_attempts` after ten wrong passwords or ten wrong codes; a
    /// right password does not reset the count of wrong codes.
    #[oai(path = "/remove", method = "post", operation_id = "remove_second_factor")]
    async fn remove(
        &self,
        caller: SignedIn,
        body: Json<SecondFactorRemoval>,
    ) -> Result<NoContent, ApiError<Writing>> {
        let SecondFactorRemoval { password, code } = body.0;
        recovery::check_password(&self.door, &self.passwords, &caller, "password", &password).await?;
        recovery::code_attempt(&self.door, Some(caller.person()), caller.claims.sub).await?;
        let removing = self.db.attempt(&caller, async |mut tx: Tx, _| -> Result<(), Failure> {
            let (secret,) = tx
                .optional(sql!("identity/second_factors_get_confirmed.sql" as (Vec<u8>,)), &[])
                .await?
                .ok_or_else(|| {
                    Problem::conflict("second_factor_absent", "The account has no second factor.")
                })?;
            let wrong = || {
                Problem::invalid_field(
                    "code",
                    "invalid_value",
                    "expected a current code that was not used before",
                )
            };
            let (step, recovery) = match read(&code, &secret, Utc::now()).ok_or_else(wrong)? {
                Code::Step(step) => (Some(step), None),
                Code::Recovery(hash) => (None, Some(hash)),
            };
            tx.optional(
                sql!("identity/second_factors_remove.sql"),
                &[&step, &recovery.as_ref().map(|hash| &hash[..])],
            )
            .await?
            .ok_or_else(wrong)?;
            tx.commit_with(sql!("identity/second_factors_code_given.sql"), &[]).await?;
            Ok(())
        });
        removing.await?;
        Ok(NoContent)
    }
}
