//! Pages about an account, behind links in e-mails: a new password, verifying an e-mail address, and accepting an
//! invitation. At our own host only: the host of an organization belongs to the organization, which could lead it to a
//! page of its own that asks for passwords.

use std::sync::Arc;

use askama::Template;
use poem::{Response, http::StatusCode};

use super::{
    errors,
    form::{Field, Form},
    language::Language,
    manage,
    month::Link,
    shell::{self, Shell, see_other},
    site::Site,
    visit::Visit,
};
use crate::{
    http::{
        caller::SignedIn,
        json::Json,
        name::Name,
        problem::Problem,
        secret::{Invitation, OneTime, Purpose, Secret},
        token::Kind,
        values::{EmailAddress, Password, Text},
    },
    identity::{
        recovery::{EmailVerification, ForgottenPassword, PasswordReset},
        sign_in::Credentials,
    },
    tenancy::invitation_acceptance::{InvitationOffer, InvitationToken, InvitedRegistration},
};

#[derive(Template)]
#[template(path = "form.html")]
struct AccountPage {
    shell: Shell,
    heading: String,
    texts: Vec<String>,
    action: String,
    token: Option<String>,
    form: Form,
    submit: String,
    other: Option<Link>,
}

/// A page with a form. `name` is part of the keys of its texts.
struct Asking<'a> {
    visit: &'a Visit,
    language: &'static Language,
    name: &'static str,
    texts: Vec<String>,
    action: &'static str,
    /// The secret of the link, if the page knows it; otherwise it is a field, which the script fills.
    token: Option<String>,
    form: Form,
    other: Option<Link>,
}

impl Asking<'_> {
    fn show(self, status: StatusCode) -> Result<Response, Problem> {
        let Self { visit, language, name, texts, action, token, form, other } = self;
        let heading = language.text(&format!("{name}-heading"));
        let page = AccountPage {
            shell: Shell::plain(visit, &heading).private(),
            heading,
            texts,
            action: visit.plain_url(action, &[]),
            token,
            form,
            submit: language.text(&format!("{name}-submit")),
            other,
        };
        shell::show(status, &page.shell, &page)
    }
}

/// 404 at the hosts of organizations.
fn only_ours(visit: &Visit) -> Result<&'static Language, Problem> {
    if shell::is_ours(visit) { Ok(visit.language(None)) } else { Err(Problem::not_found()) }
}

/// A page that says what was done.
fn said(visit: &Visit, name: &str, text: String) -> Result<Response, Problem> {
    let language = visit.language(None);
    let shell = Shell::plain(visit, &language.text(name)).private();
    let link = Link { href: visit.plain_url("/", &[]), text: language.text("to-front") };
    errors::message(StatusCode::OK, shell, name, vec![text], vec![link])
}

fn token_field(language: &Language, visit: &Visit) -> Field {
    let hint = language.text("hint-token");
    Field::new(language, "token", "off").most(4000).hint(hint).value(visit.form.get("token"))
}

fn password_field(language: &Language, id: &'static str, autocomplete: &'static str) -> Field {
    Field::new(language, id, autocomplete).kind("password").most(256)
}

/// Reads the secret of the form.
fn read_token<P: Purpose>(form: &mut Form, language: &Language, visit: &Visit) -> Option<Secret<P>> {
    let read = Secret::parse(visit.form.get("token").unwrap_or_default()).ok();
    if read.is_none() {
        match form.fields.iter_mut().find(|field| field.id == "token") {
            Some(field) => field.error = Some(language.text("error-token")),
            None => form.alert = Some(language.text("error-token")),
        }
    }
    read
}

/// Reads a password as it was typed.
fn read_password<const MIN: usize>(
    form: &mut Form,
    language: &Language,
    visit: &Visit,
) -> Option<Password<MIN>> {
    let typed = visit.form.exactly("password");
    let read = Password::parse(typed).ok().filter(|_| !typed.is_empty());
    if read.is_none()
        && let Some(field) = form.fields.iter_mut().find(|field| field.id == "password")
    {
        field.error = Some(language.text(if typed.is_empty() { "error-required" } else { "error-password" }));
    }
    read
}

fn ask_address(visit: &Visit, form: Form, status: StatusCode) -> Result<Response, Problem> {
    let language = only_ours(visit)?;
    let texts = vec![language.text("forgotten-about")];
    let action = "/forgot-password";
    Asking { visit, language, name: "forgotten", texts, action, token: None, form, other: None }.show(status)
}

fn address_form(visit: &Visit) -> Form {
    let language = visit.language(None);
    let email = Field::new(language, "email", "email").kind("email").most(254);
    Form::of(vec![email.value(visit.form.get("email"))])
}

/// Asks for the address of the account.
pub async fn forgotten(_site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    if visit.query.get("done").is_some() {
        let language = only_ours(&visit)?;
        return said(&visit, "forgotten-sent-heading", language.text("forgotten-sent"));
    }
    ask_address(&visit, address_form(&visit), StatusCode::OK)
}

/// Sends the link. The answer is the same whether or not the account exists.
pub async fn send_reset(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let language = only_ours(&visit)?;
    let mut form = address_form(&visit);
    let Some(email) = form.read(language, "email", EmailAddress::parse) else {
        return ask_address(&visit, form, StatusCode::UNPROCESSABLE_ENTITY);
    };
    site.recovery.forgot(Json(ForgottenPassword { email })).await?;
    Ok(see_other(&visit.plain_url("/forgot-password", &[("done", "yes")])))
}

fn reset_form(visit: &Visit) -> Form {
    let language = visit.language(None);
    let password = password_field(language, "password", "new-password").hint(language.text("hint-password"));
    Form::of(vec![token_field(language, visit), password])
}

fn ask_password(visit: &Visit, form: Form, status: StatusCode) -> Result<Response, Problem> {
    let language = only_ours(visit)?;
    let other = Link { href: visit.plain_url("/forgot-password", &[]), text: language.text("reset-again") };
    let asking = Asking {
        visit,
        language,
        name: "reset",
        texts: vec![language.text("reset-about")],
        action: "/reset-password",
        token: None,
        form,
        other: Some(other),
    };
    asking.show(status)
}

/// Asks for a new password.
pub async fn new_password(_site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    if visit.query.get("done").is_some() {
        let language = only_ours(&visit)?;
        return said(&visit, "reset-done-heading", language.text("reset-done"));
    }
    ask_password(&visit, reset_form(&visit), StatusCode::OK)
}

/// Sets the new password.
pub async fn reset(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let language = only_ours(&visit)?;
    let mut form = reset_form(&visit);
    let token = read_token::<OneTime>(&mut form, language, &visit);
    let password = read_password(&mut form, language, &visit);
    let (Some(token), Some(new_password)) = (token, password) else {
        return ask_password(&visit, form, StatusCode::UNPROCESSABLE_ENTITY);
    };
    let wanted = PasswordReset { token, new_password };
    match site.recovery.reset(visit.client.clone(), Json(wanted)).await.map_err(Problem::from) {
        Ok(_) => Ok(see_other(&visit.plain_url("/reset-password", &[("done", "yes")]))),
        Err(problem) if problem.status.is_client_error() => {
            form.refuse(language, &problem);
            ask_password(&visit, form, problem.status)
        }
        Err(problem) => Err(problem),
    }
}

/// What an account signs in with. The code is needed if it has a second factor.
fn sign_in_fields(language: &Language, visit: &Visit) -> Vec<Field> {
    vec![
        password_field(language, "password", "current-password"),
        Field::new(language, "code", "one-time-code")
            .required(false)
            .most(40)
            .hint(language.text("hint-code"))
            .value(visit.form.get("code")),
    ]
}

fn read_code(form: &mut Form, language: &Language) -> Option<Text<6, 40>> {
    form.read(language, "code", Text::parse)
}

fn verify_form(visit: &Visit) -> Form {
    let language = visit.language(None);
    let email = Field::new(language, "email", "username").kind("email").most(254);
    let mut fields = vec![token_field(language, visit), email.value(visit.form.get("email"))];
    fields.extend(sign_in_fields(language, visit));
    Form::of(fields)
}

fn ask_to_verify(visit: &Visit, form: Form, status: StatusCode) -> Result<Response, Problem> {
    let language = only_ours(visit)?;
    let texts = vec![language.text("verify-email-about")];
    let action = "/verify-email";
    Asking { visit, language, name: "verify-email", texts, action, token: None, form, other: None }
        .show(status)
}

/// Asks whose address it is: who only has the link cannot verify an account that another person registered.
pub async fn unverified(_site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    if visit.query.get("done").is_some() {
        let language = only_ours(&visit)?;
        return said(&visit, "verify-email-done-heading", language.text("verify-email-done"));
    }
    ask_to_verify(&visit, verify_form(&visit), StatusCode::OK)
}

/// Verifies the address, in a session of its own that ends with it.
pub async fn verify(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let language = only_ours(&visit)?;
    let mut form = verify_form(&visit);
    let token = read_token::<OneTime>(&mut form, language, &visit);
    let email = form.read(language, "email", Text::parse);
    let password = read_password(&mut form, language, &visit);
    let code = read_code(&mut form, language);
    let (Some(token), Some(email), Some(password), false) = (token, email, password, form.has_errors())
    else {
        return ask_to_verify(&visit, form, StatusCode::UNPROCESSABLE_ENTITY);
    };
    let credentials = Credentials { email, password, organization_slug: None, code };
    let verified = async {
        let signed_in = site.sign_in.sign_in_to_account(&visit.client, &credentials).await?;
        let verified = site.recovery.verify_email(signed_in.clone(), Json(EmailVerification { token })).await;
        site.sessions.log_out(signed_in).await?;
        Ok::<_, Problem>(verified?)
    };
    match verified.await {
        Ok(_) => Ok(see_other(&visit.plain_url("/verify-email", &[("done", "yes")]))),
        Err(problem) if problem.status.is_client_error() => {
            form.refuse(language, &problem);
            ask_to_verify(&visit, form, problem.status)
        }
        Err(problem) => Err(problem),
    }
}

/// Opens the link of an invitation.
pub async fn invitation(_site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let language = only_ours(&visit)?;
    match visit.query.get("done") {
        Some(_) => said(&visit, "invitation-done-heading", language.text("invitation-done")),
        None => manage::open_link(&visit, "/accept-invitation/open", None),
    }
}

/// Shows what is offered.
pub async fn look(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    only_ours(&visit)?;
    match offered(&site, &visit).await {
        Ok((token, offer)) => {
            let form = invitation_form(&visit, &offer);
            ask_to_join(&visit, &token, &offer, form, StatusCode::OK)
        }
        Err(problem) if problem.status.is_client_error() => {
            let problem = Problem { code: "invitation_unknown", ..problem };
            manage::open_link(&visit, "/accept-invitation/open", Some(&problem))
        }
        Err(problem) => Err(problem),
    }
}

/// The invitation of the form's secret, and the secret.
async fn offered(site: &Site, visit: &Visit) -> Result<(String, InvitationOffer), Problem> {
    let typed = visit.form.get("token").unwrap_or_default();
    let typed = typed.rsplit_once("#token=").map_or(typed, |(_, token)| token);
    let token = Secret::<Invitation>::parse(typed)
        .map_err(|_| Problem::invalid_field("token", "invalid_value", "expected the token of the e-mail"))?;
    let offer = site.invitations.look(Json(InvitationToken { token })).await?.0;
    Ok((typed.to_owned(), offer))
}

fn invitation_form(visit: &Visit, offer: &InvitationOffer) -> Form {
    let language = visit.language(None);
    if offer.account_exists {
        return Form::of(sign_in_fields(language, visit));
    }
    let name = Field::new(language, "full_name", "name").required(false).value(visit.form.get("full_name"));
    let password = password_field(language, "password", "new-password").hint(language.text("hint-password"));
    Form::of(vec![name, password])
}

fn ask_to_join(
    visit: &Visit,
    token: &str,
    offer: &InvitationOffer,
    form: Form,
    status: StatusCode,
) -> Result<Response, Problem> {
    let language = visit.language(None);
    let role = language.text(&format!("role-{}", offer.role.name()));
    let values = &[
        ("organization", offer.organization_name.as_str().into()),
        ("role", role.into()),
        ("email", offer.email.as_str().into()),
    ];
    let about = if offer.account_exists { "invitation-account" } else { "invitation-no-account" };
    let asking = Asking {
        visit,
        language,
        name: "invitation",
        texts: vec![language.with("invitation-about", values), language.with(about, values)],
        action: "/accept-invitation/accept",
        token: Some(token.to_owned()),
        form,
        other: None,
    };
    asking.show(status)
}

/// Accepts, with the account that exists or with a new one. The session that it takes ends with it.
pub async fn accept(site: Arc<Site>, visit: Arc<Visit>) -> Result<Response, Problem> {
    let language = only_ours(&visit)?;
    let (token, offer) = match offered(&site, &visit).await {
        Ok(offered) => offered,
        Err(problem) if problem.status.is_client_error() => {
            let problem = Problem { code: "invitation_unknown", ..problem };
            return manage::open_link(&visit, "/accept-invitation/open", Some(&problem));
        }
        Err(problem) => return Err(problem),
    };
    let mut form = invitation_form(&visit, &offer);
    let joined = match offer.account_exists {
        true => join(&site, &visit, language, &mut form, &offer).await,
        false => register(&site, &visit, language, &mut form).await,
    };
    match joined {
        Ok(true) => Ok(see_other(&visit.plain_url("/accept-invitation", &[("done", "yes")]))),
        Ok(false) => ask_to_join(&visit, &token, &offer, form, StatusCode::UNPROCESSABLE_ENTITY),
        Err(problem) if problem.status.is_client_error() => {
            form.refuse(language, &problem);
            ask_to_join(&visit, &token, &offer, form, problem.status)
        }
        Err(problem) => Err(problem),
    }
}

/// `false` if the form has mistakes.
async fn join(
    site: &Site,
    visit: &Visit,
    language: &Language,
    form: &mut Form,
    offer: &InvitationOffer,
) -> Result<bool, Problem> {
    let token = read_token::<Invitation>(form, language, visit);
    let password = read_password(form, language, visit);
    let code = read_code(form, language);
    let email = Text::parse(&offer.email).map_err(|_| Problem::internal())?;
    let (Some(token), Some(password), false) = (token, password, form.has_errors()) else {
        return Ok(false);
    };
    let credentials = Credentials { email, password, organization_slug: None, code };
    let signed_in = site.sign_in.sign_in_to_account(&visit.client, &credentials).await?;
    let joined = site.invitations.accept(signed_in.clone(), Json(InvitationToken { token })).await;
    site.sessions.log_out(signed_in).await?;
    joined?;
    Ok(true)
}

async fn register(site: &Site, visit: &Visit, language: &Language, form: &mut Form) -> Result<bool, Problem> {
    let token = read_token::<Invitation>(form, language, visit);
    let password = read_password(form, language, visit);
    let full_name = form.read(language, "full_name", Name::parse);
    let (Some(token), Some(password), false) = (token, password, form.has_errors()) else {
        return Ok(false);
    };
    let registration = InvitedRegistration { token, password, full_name };
    let registered = site.invitations.register(visit.client.clone(), Json(registration)).await?;
    let claims = site.tokens.verify(&registered.body.access_token, Kind::Access)?;
    site.sessions.log_out(SignedIn { claims }).await?;
    Ok(true)
}
