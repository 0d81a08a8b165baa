//! Second factors: time-based one-time passwords (RFC 6238), and recovery codes for whoever has lost theirs.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use totp_rs::{Algorithm, Builder, Secret as TotpSecret, Totp};

use super::{passwords::Passwords, recovery};
use crate::{
    db::Db,
    http::{
        Tag,
        caller::SignedIn,
        json::{Json, NoContent},
        problem::{ApiError, Problem, Writing},
        secret,
        values::{Password, Text},
    },
    sql,
};

/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// Letters and digits of a recovery code, 5 bits each.
const RECOVERY_LENGTH: usize = 16;

/// What a code turned out to be.
pub enum Code {
    /// One of the authenticator, for this step of 30 seconds.
    Step(i64),
    /// Perhaps a recovery code: its SHA-256.
    Recovery([u8; 32]),
}

/// Reads a code somebody typed. None where it is neither that of the authenticator at this time nor looks like a recovery
/// code.
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

/// A new code: 80 random bits, in groups of four.
fn recovery_code() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let code: Vec<char> = secret::random()
        .iter()
        .take(RECOVERY_LENGTH)
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    code.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

/// The password again, since what follows changes how one signs in.
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

/// The password again, and a code.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Removal {
    /// The password of the account.
    pub password: Password,
    /// The six digits of the authenticator, or a recovery code.
    pub code: Text<6, 40>,
}

impl Example for Removal {
    fn example() -> Self {
        Self {
            password: Password::parse("three small brass kettles").expect("a password"),
            code: Text::parse("123456").expect("six digits"),
        }
    }
}

/// What an authenticator app has to be told.
#[derive(Debug, Object, Serialize)]
pub struct SecondFactor {
    /// The shared secret, in base32.
    pub secret: String,
    /// The same as a URL for a QR code (Key Uri Format).
    pub otpauth_url: String,
}

/// A code of the authenticator.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct Confirmation {
    /// The six digits it shows now.
    pub code: Text<6, 6>,
}

impl Example for Confirmation {
    fn example() -> Self {
        Self { code: Text::parse("123456").expect("six digits") }
    }
}

/// For whoever has lost the authenticator.
#[derive(Debug, Object, Serialize)]
pub struct RecoveryCodes {
    /// Each good once in place of a code. Shown this one time.
    pub recovery_codes: Vec<String>,
}

pub struct SecondFactorsApi {
    pub db: Db,
    pub passwords: Arc<Passwords>,
}

#[OpenApi(prefix_path = "/api/v1/auth/second-factor", tag = "Tag::Identity")]
impl SecondFactorsApi {
    /// Begin to set up a second factor
    ///
    /// Answers with a new secret for an authenticator app. Nothing changes until it is confirmed; beginning again makes
    /// another. 403 `email_not_verified` until the address of the account is verified. 409 `second_factor_active` where
    /// there is one: take that away first. 422 on `password` where it is wrong.
    #[oai(path = "/", method = "post", operation_id = "begin_second_factor")]
    async fn begin(
        &self,
        caller: SignedIn,
        body: Json<PasswordAgain>,
    ) -> Result<Json<SecondFactor>, ApiError<Writing>> {
        recovery::check_password(&self.db, &self.passwords, &caller, "password", &body.0.password).await?;
        // 160 bits, as RFC 4226 section 4 recommends.
        let bytes = &secret::random()[..20];
        let row = self.db.one(&caller, sql!("identity/second_factors_begin.sql"), &[&bytes]).await?;
        if !row.get::<_, bool>(1) {
            Err(Problem::email_not_verified())?;
        }
        if !row.get::<_, bool>(2) {
            Err(Problem::conflict("second_factor_active", "There is a second factor. Take it away first."))?;
        }
        let totp = totp(bytes, row.get(0)).ok_or_else(Problem::internal)?;
        Ok(Json(SecondFactor {
            secret: TotpSecret::from(bytes.to_vec()).to_base32(),
            otpauth_url: totp.to_url().map_err(|_| Problem::internal())?,
        }))
    }

    /// Confirm the second factor
    ///
    /// With a code, which shows that the app has the secret. From now on signing in needs one. 409 `second_factor_absent`
    /// where none was begun; 422 on `code` where it is wrong; 429 `too_many_attempts` after ten wrong codes.
    #[oai(path = "/confirm", method = "post", operation_id = "confirm_second_factor")]
    async fn confirm(
        &self,
        caller: SignedIn,
        body: Json<Confirmation>,
    ) -> Result<Json<RecoveryCodes>, ApiError<Writing>> {
        recovery::code_attempt(&self.db, &caller, caller.claims.sub).await?;
        let mut tx = self.db.begin(&caller);
        let secret: Vec<u8> = tx
            .optional(sql!("identity/second_factors_get_unconfirmed.sql"), &[])
            .await?
            .ok_or_else(|| Problem::conflict("second_factor_absent", "No second factor was begun."))?
            .get(0);
        let Some(Code::Step(step)) = read(&body.0.code, &secret, Utc::now()) else {
            return Err(Problem::invalid_field(
                "code",
                "invalid_value",
                "the six digits the authenticator shows now; are its clock and yours right?",
            ))?;
        };
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
        let hashes: Vec<Vec<u8>> =
            codes.iter().map(|code| recovery_hash(&code.replace('-', "")).to_vec()).collect();
        tx.all(sql!("identity/second_factors_confirm.sql"), &[&step, &hashes]).await?;
        tx.commit_with(sql!("identity/second_factors_code_given.sql"), &[]).await?;
        Ok(Json(RecoveryCodes { recovery_codes: codes }))
    }

    /// Take the second factor away
    ///
    /// And the recovery codes. 409 `second_factor_absent` where there is none; 422 on `password` or `code` where that is wrong;
    /// 429 `too_many_attempts` after ten wrong passwords or codes: a right password forgives no wrong code.
    #[oai(path = "/remove", method = "post", operation_id = "remove_second_factor")]
    async fn remove(&self, caller: SignedIn, body: Json<Removal>) -> Result<NoContent, ApiError<Writing>> {
        let Removal { password, code } = body.0;
        recovery::check_password(&self.db, &self.passwords, &caller, "password", &password).await?;
        recovery::code_attempt(&self.db, &caller, caller.claims.sub).await?;
        let mut tx = self.db.begin(&caller);
        let secret: Vec<u8> = tx
            .optional(sql!("identity/second_factors_get_confirmed.sql"), &[])
            .await?
            .ok_or_else(|| Problem::conflict("second_factor_absent", "There is no second factor."))?
            .get(0);
        let wrong =
            || Problem::invalid_field("code", "invalid_value", "a code that is good now and was not used");
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
        Ok(NoContent)
    }
}
