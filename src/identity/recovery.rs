//! Changing a password, resetting a forgotten one, and verifying e-mail addresses.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::future::join;
use poem_openapi::{Object, OpenApi, types::Example};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::passwords::{NewPassword, Passwords};
use crate::{
    db::{Db, FrontDoor, Params, Person, Tx},
    http::{
        caller::SignedIn,
        client::Client,
        json::{Json, NoContent},
        problem::{ApiError, Deleting, Failure, OpenWriting, Problem, Writing},
        secret::{OneTime, Secret},
        values::{EmailAddress, Password},
    },
    messaging::{
        budget::{self, OnBehalf},
        letters::{AddressUnverified, PasswordForgotten},
        mail::Mailer,
    },
    sql,
};

/// The minimum duration of a request for a password reset.
const LEAST: Duration = Duration::from_millis(100);
const RESET_LIFETIME: TimeDelta = TimeDelta::hours(1);
const VERIFY_LIFETIME: TimeDelta = TimeDelta::days(7);

/// A change of password.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PasswordChange {
    /// The current password of the account.
    pub current_password: Password,
    /// At least 8 characters and not easily guessed.
    pub new_password: NewPassword,
}

impl Example for PasswordChange {
    fn example() -> Self {
        Self {
            current_password: Password::parse("three small brass kettles").expect("a password"),
            new_password: NewPassword::parse("one large copper teapot").expect("a password"),
        }
    }
}

/// The account whose password is forgotten.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ForgottenPassword {
    /// The e-mail address of the account.
    pub email: EmailAddress,
}

impl Example for ForgottenPassword {
    fn example() -> Self {
        Self { email: EmailAddress::parse("ada@example.com").expect("an address") }
    }
}

/// A new password, and the token that allows setting it.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PasswordReset {
    /// The token from the e-mail.
    pub token: Secret<OneTime>,
    /// At least 8 characters and not easily guessed.
    pub new_password: NewPassword,
}

impl Example for PasswordReset {
    fn example() -> Self {
        Self {
            token: Secret::example(),
            new_password: NewPassword::parse("one large copper teapot").expect("a password"),
        }
    }
}

/// The token from a verification e-mail.
#[derive(Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct EmailVerification {
    /// The token from the e-mail.
    pub token: Secret<OneTime>,
}

impl Example for EmailVerification {
    fn example() -> Self {
        Self { token: Secret::example() }
    }
}

pub struct RecoveryApi {
    pub db: Db,
    pub door: FrontDoor,
    pub passwords: Arc<Passwords>,
    pub mailer: Mailer,
}

#[OpenApi(prefix_path = "/api/v1/auth")]
impl RecoveryApi {
    /// Change my password
    ///
    /// Ends all other sessions of the account. 422 `wrong_password` on `current_password`. 429 `too_many_attempts`
    /// after too many wrong passwords, `too_many_requests` as for logging in.
    #[oai(path = "/password/change", method = "post", operation_id = "change_password")]
    async fn change(
        &self,
        caller: SignedIn,
        body: Json<PasswordChange>,
    ) -> Result<NoContent, ApiError<Writing>> {
        let change = body.0;
        check_password(&self.door, &self.passwords, &caller, "current_password", &change.current_password)
            .await?;
        let hash = self.passwords.hash_new("new_password", &change.new_password, &[]).await?;
        self.door.one(&caller, sql!("identity/passwords_change.sql"), &[&caller.claims.sid, &hash]).await?;
        Ok(NoContent)
    }

    /// Request a password reset
    ///
    /// Sends an e-mail with a single-use token that expires after an hour, at most three e-mails an hour. The answer is
    /// the same whether or not an account with this address exists.
    #[oai(path = "/password/forgot", method = "post", operation_id = "request_password_reset")]
    pub async fn forgot(&self, body: Json<ForgottenPassword>) -> Result<NoContent, ApiError<OpenWriting>> {
        let email = body.0.email;
        // The account is not known yet. The hash does not cover the ids in the token, so they can be filled in
        // afterwards.
        let draft = Secret::<OneTime>::draw(Uuid::nil(), Uuid::nil());
        let hash = draft.hash();
        let seconds = RESET_LIFETIME.num_seconds() as f64;
        let params: [&(dyn ToSql + Sync); 3] = [&&*email, &&hash[..], &seconds];
        let asking = self.door.gate(sql!("identity/passwords_request_reset.sql" as (Option<Uuid>,)), &params);
        // Storing a token takes longer than storing none. The minimum duration hides the difference.
        let (account, ()) = join(asking, sleep(LEAST)).await;
        if let (Some(account),) = account? {
            let token = draft.about(account, account).reveal();
            let (site, link) = (self.mailer.site(), self.mailer.link("reset-password", &token));
            let letter = PasswordForgotten { site, email: &email, link: &link, token: &token };
            self.mailer.send(letter.mail());
        }
        Ok(NoContent)
    }

    /// Set a new password
    ///
    /// Requires the token from the e-mail, which can be used once. Ends every session of the account. If the e-mail
    /// address was not verified before, it becomes verified, and everything set up before is removed: the second
    /// factor, and the invitations, API keys and calendar feeds that the account created. 422 `not_found` on `token` if
    /// it is not valid.
    #[oai(path = "/password/reset", method = "post", operation_id = "reset_password")]
    pub async fn reset(
        &self,
        client: Client,
        body: Json<PasswordReset>,
    ) -> Result<NoContent, ApiError<OpenWriting>> {
        let PasswordReset { token, new_password } = body.0;
        let (account, hash) = (token.first, token.hash());
        // Checked before the expensive hashing. The address is also needed to reject passwords derived from it.
        let sql = sql!("identity/tokens_email.sql" as (Option<String>,));
        let (email,) = self.door.gate(sql, &[&account, &&hash[..]]).await?;
        let email = email.ok_or_else(used_up)?;
        let password = self.passwords.hash_new("new_password", &new_password, &[&email]).await?;
        let sql = sql!("identity/passwords_reset.sql" as (bool,));
        match self.door.gate(sql, &[&account, &&hash[..], &password, &client.address]).await? {
            (true,) => Ok(NoContent),
            (false,) => Err(used_up())?,
        }
    }

    /// Request verification of my e-mail address
    ///
    /// Sends an e-mail with a single-use token that expires after a week. 409 `email_verified` if the address is
    /// already verified. 409 `email_requested` if an e-mail was sent within the last minute. 429 `mail_limit` after six
    /// e-mails within an hour.
    #[oai(path = "/email/request-verification", method = "post", operation_id = "request_email_verification")]
    async fn request_verification(&self, caller: SignedIn) -> Result<NoContent, ApiError<Deleting>> {
        let sending = self.db.attempt(&caller, async |mut tx: Tx, _| -> Result<(), Failure> {
            // Locks the account, so that the second of two concurrent requests sees the e-mail of the first.
            let (email, verified) =
                tx.one(sql!("identity/accounts_get_email.sql" as (String, bool)), &[]).await?;
            if verified {
                Err(Problem::conflict("email_verified", "The e-mail address is already verified."))?;
            }
            if tx.one(sql!("identity/tokens_sent_recently.sql" as (bool,)), &[]).await?.0 {
                Err(Problem::conflict(
                    "email_requested",
                    "An e-mail was sent less than a minute ago; check the mailbox first.",
                ))?;
            }
            send_verification(tx, &self.mailer, caller.claims.sub, &email).await
        });
        sending.await?;
        Ok(NoContent)
    }

    /// Verify an e-mail address
    ///
    /// Requires the token from the e-mail, which can be used once, and a session of the same account. A recipient of
    /// the link therefore cannot verify an account that another person registered with their address. The first
    /// verification removes everything set up before: the other sessions, the second factor, and the invitations, API
    /// keys and calendar feeds that the account created. 422 `not_found` on `token` if it is not valid or belongs to
    /// another account.
    #[oai(path = "/email/verify", method = "post", operation_id = "verify_email")]
    pub async fn verify_email(
        &self,
        caller: SignedIn,
        body: Json<EmailVerification>,
    ) -> Result<NoContent, ApiError<Writing>> {
        // Only tokens of the signed-in account are searched.
        let token = body.0.token;
        let params: [&(dyn ToSql + Sync); 2] = [&caller.claims.sid, &&token.hash()[..]];
        match self.door.one(&caller, sql!("identity/accounts_verify_email.sql" as (bool,)), &params).await? {
            (true,) => Ok(NoContent),
            (false,) => Err(used_up())?,
        }
    }
}

fn used_up() -> Problem {
    Problem::invalid_field("token", "not_found", "The token is unknown, was used before or has expired.")
}

/// Sends the verification e-mail if the address may receive one now. The account can request it later.
pub async fn ask_to_verify(db: &Db, mailer: &Mailer, person: &Person, email: &str) -> Result<(), Failure> {
    match send_verification(db.begin(*person), mailer, person.account, email).await {
        Err(Failure::Problem(problem)) if problem.code == "mail_limit" => Ok(()),
        sent => sent,
    }
}

/// Stores the token, commits the transaction and sends the token by e-mail.
async fn send_verification(mut tx: Tx, mailer: &Mailer, account: Uuid, email: &str) -> Result<(), Failure> {
    let permit = budget::spend(&mut tx, email, OnBehalf::Account).await?;
    let token = Secret::<OneTime>::draw(account, account);
    let seconds = VERIFY_LIFETIME.num_seconds() as f64;
    tx.commit_with(sql!("identity/tokens_add.sql"), &[&&token.hash()[..], &email, &seconds]).await?;
    let token = token.reveal();
    let link = mailer.link("verify-email", &token);
    let letter = AddressUnverified { site: mailer.site(), email, link: &link, token: &token };
    mailer.send_with_permit(permit, letter.text());
    Ok(())
}

/// Counts an attempt at a code of the account's second factor, or fails if the limit is reached. All operations that
/// ask for a code share one count; only a right code resets it. `person`: who has signed in; `None` while signing in.
pub async fn code_attempt(door: &FrontDoor, person: Option<Person>, account: Uuid) -> Result<(), Failure> {
    let (sql, params): (_, Params) = (sql!("identity/second_factors_attempt.sql" as (i32,)), &[&account]);
    let counted = match person {
        Some(person) => door.one(person, sql, params).await,
        None => door.gate(sql, params).await,
    };
    match counted? {
        (0,) => Ok(()),
        (retry_after,) => Err(Problem::too_many_attempts(retry_after).into()),
    }
}

/// Checks the password of the signed-in account.
pub async fn check_password(
    door: &FrontDoor,
    passwords: &Passwords,
    caller: &SignedIn,
    field: &'static str,
    password: &Password,
) -> Result<(), Failure> {
    let turn = passwords.turn().await?;
    let sql = sql!("identity/passwords_get.sql" as (i32, Option<String>));
    let (retry_after, hash) = door.one(caller, sql, &[]).await?;
    if retry_after > 0 {
        return Err(Problem::too_many_attempts(retry_after).into());
    }
    match turn.verify(password, hash).await? {
        Some(_) => {
            door.one(caller, sql!("identity/passwords_given.sql"), &[]).await?;
            Ok(())
        }
        None => Err(Problem::invalid_field(
            field,
            "wrong_password",
            "expected the current password of the account",
        )
        .into()),
    }
}
