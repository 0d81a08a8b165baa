//! Pages about accounts.

use serde_json::json;

use crate::harness::{
    Actor, PASSWORD, Tenant, address,
    hosts::with_subdomain,
    people::{Visitor, page_server},
    system,
};

const NEW: &str = "seven quiet copper lanterns";

/// A registered account: its address.
async fn registered() -> String {
    let email = address();
    let slug = format!("r{}", uuid::Uuid::new_v4().simple());
    let body = json!({
        "email": email, "password": PASSWORD, "organization_name": "Registered", "organization_slug": slug,
    });
    Actor::anonymous().post("/api/v1/auth/register", body).await.expect(201);
    email
}

async fn sign_in(email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password });
    Actor::anonymous().post("/api/v1/auth/login", body).await.status
}

#[tokio::test]
async fn person_who_forgot_the_password_sets_a_new_one() {
    let server = page_server().await;
    let visitor = Visitor::at(&server, "localhost");
    let email = registered().await;
    // The first is the one that verifies the address.
    system().mails_to(&email, 1).await;
    visitor.get("/forgot-password").await.expect(200);
    visitor.post("/forgot-password", &[("email", "no address")]).await.expect(422);
    let (_, sent) = visitor.follow("/forgot-password", &[("email", &email)]).await;
    sent.says("Check your mail");
    let mails = system().mails_to(&email, 2).await;
    let token = mails.iter().find_map(|mail| mail.split("reset-password#token=").nth(1)).expect("a link");
    let token = token.split_whitespace().next().expect("a token");

    visitor.get("/reset-password").await.expect(200).says("Set a new password");
    let weak = visitor.post("/reset-password", &[("token", token), ("password", "password")]).await;
    weak.expect(422).says("id=\"password-error\"");
    let (_, done) = visitor.follow("/reset-password", &[("token", token), ("password", NEW)]).await;
    done.says("Your password is set");
    assert_eq!((sign_in(&email, NEW).await, sign_in(&email, PASSWORD).await), (200, 401));
    let again = visitor.post("/reset-password", &[("token", token), ("password", NEW)]).await;
    again.expect(422).says("This link is not valid.");
}

#[tokio::test]
async fn address_is_verified_by_who_has_link_and_password() {
    let server = page_server().await;
    let visitor = Visitor::at(&server, "localhost");
    let (email, stranger) = (registered().await, registered().await);
    let token = system().token_mailed_to(&email).await;
    visitor.get("/verify-email").await.expect(200);
    let send = async |email: &str, password: &str| {
        visitor.post("/verify-email", &[("token", &token), ("email", email), ("password", password)]).await
    };
    send(&email, "wrong").await.expect(401).says("is wrong");
    send(&stranger, PASSWORD).await.expect(422).says("This link is not valid.");
    assert_eq!(send(&email, PASSWORD).await.location(), "/verify-email?done=yes");
    send(&email, PASSWORD).await.expect(422);
}

#[tokio::test]
async fn invitation_is_accepted_with_a_new_account_and_with_one_that_exists() {
    let server = page_server().await;
    let visitor = Visitor::at(&server, "localhost");
    let tenant = Tenant::new().await;
    let open = json!({ "exclusive_members": false });
    tenant.admin.patch("/api/v1/organizations/me/settings", open).await.expect(200);
    for (email, exists) in [(address(), false), (registered().await, true)] {
        let mails = if exists { 2 } else { 1 };
        let body = json!({ "email": email, "role": "staff" });
        tenant.admin.post("/api/v1/invitations", body).await.expect(201);
        let mails = system().mails_to(&email, mails).await;
        let link =
            mails.iter().find_map(|mail| mail.split("accept-invitation#token=").nth(1)).expect("a link");
        let token = link.split_whitespace().next().expect("a token");
        visitor.get("/accept-invitation").await.expect(200);
        let offer = visitor.post("/accept-invitation/open", &[("token", token)]).await.expect(200);
        offer.says(&email);
        offer.says("member of the staff");
        assert_eq!(offer.html.contains("You have an account already."), exists);
        let accept = "/accept-invitation/accept";
        visitor.post(accept, &[("token", token), ("password", "")]).await.expect(422);
        let password = if exists { PASSWORD } else { NEW };
        let form = [("token", token), ("password", password), ("full_name", "Grace Hopper")];
        let (to, done) = visitor.follow(accept, &form).await;
        assert_eq!(to, "/accept-invitation?done=yes");
        done.says("You have joined");
        visitor.post("/accept-invitation/open", &[("token", token)]).await.expect(422).says("was accepted");
    }
}

#[tokio::test]
async fn pages_about_accounts_are_not_at_hosts_of_organizations() {
    let server = page_server().await;
    let (_tenant, subdomain) = with_subdomain().await;
    let visitor = Visitor::at(&server, &format!("{subdomain}.localhost"));
    for path in ["/forgot-password", "/reset-password", "/verify-email", "/accept-invitation"] {
        visitor.get(path).await.expect(404);
        visitor.post(path, &[("token", "x"), ("password", NEW)]).await;
    }
    visitor.post("/reset-password", &[("token", "x"), ("password", NEW)]).await.expect(404);
}
