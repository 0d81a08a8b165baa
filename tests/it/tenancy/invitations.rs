use serde_json::json;
use uuid::Uuid;

use crate::harness::{Actor, PASSWORD, Tenant, address, person, system};

const PATH: &str = "/api/v1/invitations";

async fn invited(actor: &Actor, email: &str, role: &str) -> String {
    actor.post(PATH, json!({ "email": email, "role": role })).await.created();
    system().token_mailed_to(email).await
}

#[tokio::test]
async fn invited_stranger_registers_and_joins() {
    let tenant = Tenant::new().await;
    let email = address();
    let token = invited(&tenant.admin, &email, "manager").await;
    let mail = system().mail_to(&email).await;
    assert!(mail.contains("https://pages.example.com/accept-invitation#token="), "{mail}");
    let listed = tenant.staff.get(PATH).await.expect(200);
    assert_eq!(listed["items"][0]["email"], json!(email));
    assert!(!listed.to_string().contains(&token));

    let anonymous = Actor::anonymous();
    let offer = anonymous.post(&format!("{PATH}/look"), json!({ "token": token })).await.expect(200);
    assert_eq!((&offer["email"], &offer["account_exists"]), (&json!(email), &json!(false)));
    let register = format!("{PATH}/register");
    let body = |password: &str| json!({ "token": token, "password": password, "full_name": "Grace Hopper" });
    anonymous.post(&register, body("password123")).await.invalid("password", "too_guessable");
    let session = anonymous.post(&register, body(PASSWORD)).await.expect(201);
    let me = Actor::signed_in(&session).get("/api/v1/auth/me").await.expect(200);
    assert_eq!(
        (&me["role"], &me["email"], &me["email_verified"], &me["organization_id"]),
        (&json!("manager"), &json!(email), &json!(true), &json!(tenant.id))
    );
    anonymous.post(&register, body(PASSWORD)).await.invalid("token", "not_found");
    anonymous.post(&format!("{PATH}/look"), json!({ "token": token })).await.invalid("token", "not_found");
    assert_eq!(tenant.staff.get(PATH).await.expect(200)["items"], json!([]));
    tenant.admin.post(PATH, json!({ "email": email, "role": "viewer" })).await.refused(409, "already_member");
}

#[tokio::test]
async fn invitation_can_be_accepted_only_by_its_account() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    // Neither keeps its members to itself.
    for tenant in [&tenant, &other] {
        tenant
            .admin
            .patch("/api/v1/organizations/me/settings", json!({ "exclusive_members": false }))
            .await
            .expect(200);
    }
    let guest = &other.staff;
    let token = invited(&tenant.admin, &guest.email, "viewer").await;
    let body = json!({ "token": token });
    let offer = Actor::anonymous().post(&format!("{PATH}/look"), body.clone()).await.expect(200);
    assert_eq!(offer["account_exists"], true);
    let register = json!({ "token": token, "password": PASSWORD });
    Actor::anonymous().post(&format!("{PATH}/register"), register).await.refused(409, "email_taken");
    let accept = format!("{PATH}/accept");
    other.viewer.post(&accept, body.clone()).await.refused(409, "invitation_for_another");
    guest.post(&accept, body.clone()).await.expect(204);
    guest.post(&accept, body).await.invalid("token", "not_found");
    let session =
        guest.post("/api/v1/auth/switch", json!({ "organization_id": tenant.id })).await.expect(200);
    assert_eq!(Actor::signed_in(&session).get("/api/v1/auth/me").await.expect(200)["role"], "viewer");
}

#[tokio::test]
async fn exclusive_membership_refuses_a_second_organization() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let accept = format!("{PATH}/accept");
    let token = invited(&tenant.admin, &other.staff.email, "viewer").await;
    let body = json!({ "token": token });
    other.staff.post(&accept, body.clone()).await.refused(409, "exclusive_membership");
    let free = async |tenant: &Tenant| {
        tenant
            .admin
            .patch("/api/v1/organizations/me/settings", json!({ "exclusive_members": false }))
            .await
            .expect(200);
    };
    free(&tenant).await;
    other.staff.post(&accept, body.clone()).await.refused(409, "exclusive_membership");
    free(&other).await;
    other.staff.post(&accept, body).await.expect(204);
    // Owners may have several of their own; customers may be customers of many.
    let name = format!("n{}", Uuid::new_v4().simple());
    let new = json!({ "name": name, "slug": name });
    Tenant::new().await.owner.post("/api/v1/organizations", new.clone()).await.expect(201);
    let third = Tenant::new().await;
    third.staff.post("/api/v1/organizations", new).await.refused(409, "exclusive_membership");
    let contact = tenant.contact().await;
    let customer = json!({ "email": third.staff.email, "role": "customer", "contact_id": contact });
    tenant.staff.post(PATH, customer).await.expect(201);
    let token = system().token_mailed_to(&third.staff.email).await;
    third.staff.post(&accept, json!({ "token": token })).await.expect(204);
}

#[tokio::test]
async fn invitation_above_the_own_role_is_refused() {
    let tenant = Tenant::new().await;
    for (actor, role, status) in [
        (&tenant.staff, "viewer", 403),
        (&tenant.manager, "staff", 403),
        (&tenant.admin, "admin", 201),
        (&tenant.admin, "member", 201),
        (&tenant.owner, "admin", 201),
    ] {
        let answer = actor.post(PATH, json!({ "email": address(), "role": role })).await;
        assert_eq!(answer.status, status, "{role}: {}", answer.text);
    }
    tenant
        .owner
        .post(PATH, json!({ "email": address(), "role": "owner" }))
        .await
        .invalid("role", "invalid_value");
    tenant
        .viewer
        .post(PATH, json!({ "email": address(), "role": "viewer" }))
        .await
        .refused(403, "role_too_low");
    let body = json!({ "email": address(), "role": "viewer" });
    let id = tenant.admin.post(PATH, body.clone()).await.created();
    tenant.admin.post(PATH, body).await.refused(409, "already_invited");
    // What is for admins to make is for admins to take back and to send again.
    let path = format!("{PATH}/{id}");
    tenant.staff.delete(&path).await.refused(404, "not_found");
    tenant.age_invitations().await;
    tenant.staff.post(&format!("{path}/resend"), json!({})).await.refused(404, "not_found");
    tenant.admin.delete(&path).await.expect(204);
    tenant.admin.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn invitation_sent_again_has_a_new_token() {
    let tenant = Tenant::new().await;
    let email = address();
    let id = tenant.admin.post(PATH, json!({ "email": email, "role": "viewer" })).await.created();
    let first = system().token_mailed_to(&email).await;
    tenant.admin.post(&format!("{PATH}/{id}/resend"), json!({})).await.refused(409, "invitation_sent");
    tenant.age_invitations().await;
    tenant.admin.post(&format!("{PATH}/{id}/resend"), json!({})).await.expect(200);
    system().mails_to(&email, 2).await;
    let second = system().token_mailed_to(&email).await;
    let look =
        async |token: &str| Actor::anonymous().post(&format!("{PATH}/look"), json!({ "token": token })).await;
    look(&first).await.invalid("token", "not_found");
    look(&second).await.expect(200);
    tenant.expire_invitations().await;
    look(&second).await.invalid("token", "not_found");
    tenant.admin.delete(&format!("{PATH}/{id}")).await.expect(204);
}

#[tokio::test]
async fn acceptances_at_once_of_one_invitation_get_one() {
    let tenant = Tenant::new().await;
    let email = address();
    let token = invited(&tenant.admin, &email, "viewer").await;
    let attempts = (0..6).map(|_| {
        let body = json!({ "token": token, "password": PASSWORD });
        async move { Actor::anonymous().post(&format!("{PATH}/register"), body).await.status }
    });
    let statuses = futures_util::future::join_all(attempts).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 409 | 422 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn customer_reads_only_own_rows() {
    let tenant = Tenant::new().await;
    let theirs = tenant.furnished().await;
    let email = address();
    let contact = tenant.contact().await;
    for (body, code) in [
        (json!({ "email": email, "role": "customer" }), "required"),
        (json!({ "email": email, "role": "viewer", "contact_id": contact }), "required"),
        (json!({ "email": email, "role": "customer", "contact_id": Uuid::now_v7() }), "not_found"),
    ] {
        tenant.admin.post(PATH, body).await.invalid("contact_id", code);
    }
    let body = json!({ "email": email, "role": "customer", "contact_id": contact });
    tenant.staff.post(PATH, body).await.expect(201);
    let token = system().token_mailed_to(&email).await;
    let session = Actor::anonymous()
        .post(&format!("{PATH}/register"), json!({ "token": token, "password": PASSWORD }))
        .await
        .expect(201);
    let customer = Actor::signed_in(&session);
    assert_eq!(customer.get("/api/v1/auth/me").await.expect(200)["role"], "customer");
    for path in ["/api/v1/contacts", "/api/v1/appointments", "/api/v1/members", "/api/v1/organizations/me"] {
        customer.get(path).await.refused(403, "role_too_low");
    }
    let booking = json!({
        "service_id": theirs.service, "contact_id": contact, "starts_at": "2031-05-06T09:00:00Z",
    });
    let appointment = tenant.staff.post("/api/v1/appointments", booking).await.created();
    let mine = customer.get("/api/v1/my/appointments").await.expect(200);
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(1), "their own alone");
    assert_eq!(mine["items"][0]["id"], json!(appointment));
    let later = customer.get("/api/v1/my/appointments?from=2031-05-07T00:00:00Z").await.expect(200);
    assert_eq!(later["items"], json!([]));
    tenant.staff.get("/api/v1/my/appointments").await.refused(403, "customer_required");
    // By SQL, as the server's role, with what the customer's token opens.
    let superuser = system().superuser().await;
    let row = superuser
        .query_one(
            "update identity.sessions s set secret_hash = sha256(uuid_send(s.id))
             from identity.accounts a where a.id = s.account_id and a.email = $1
             returning s.account_id, s.id",
            &[&email],
        )
        .await
        .expect("a session");
    let api = system().connect("appointd_api").await;
    api.batch_execute("begin").await.expect("a transaction");
    api.execute(
        "select app.enter($1, $2, $3, uuid_send($3), 'customer', null, null, null)",
        &[&tenant.id, &row.get::<_, Uuid>(0), &row.get::<_, Uuid>(1)],
    )
    .await
    .expect("a customer may enter");
    let ids = async |table: &str| -> Vec<String> {
        let rows = api.query(&format!("select id::text from {table}"), &[]).await.expect("rows");
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(ids("scheduling.appointments").await, [appointment]);
    assert_eq!(ids("crm.contacts").await, [contact]);
    for table in ["tenancy.invitations", "tenancy.api_keys"] {
        assert_eq!(ids(table).await, Vec::<String>::new(), "{table}");
    }
    // What can be booked online, and nothing else that is offered.
    superuser
        .execute(
            "insert into scheduling.services (tenant_id, id, name, duration_minutes, slot_step_minutes, bookable_online)
             values ($1, $1, 'Hidden', 30, 30, false)",
            &[&tenant.id],
        )
        .await
        .expect("a service");
    let offered =
        api.query("select bookable_online and active from scheduling.services", &[]).await.expect("services");
    assert!(offered.len() == 1 && offered[0].get(0), "{offered:?}");
    let accounts = api.query("select email from identity.accounts", &[]).await.expect("rows");
    assert_eq!(accounts.len(), 1, "no colleagues");
}

#[tokio::test]
async fn contact_has_one_account() {
    let tenant = Tenant::new().await;
    let contact = tenant.contact().await;
    let (first, second) =
        (person(Tenant::new().await.id, "customer").await, person(Tenant::new().await.id, "customer").await);
    let invite = async |customer: &Actor| {
        let body = json!({ "email": customer.email, "role": "customer", "contact_id": contact });
        tenant.staff.post(PATH, body).await
    };
    let accept = async |customer: &Actor| {
        let token = system().token_mailed_to(&customer.email).await;
        customer.post(&format!("{PATH}/accept"), json!({ "token": token })).await
    };
    invite(&first).await.expect(201);
    let open = invite(&second).await.created();
    accept(&first).await.expect(204);
    // Those that were sent before lead nowhere, and no other is sent.
    accept(&second).await.refused(409, "contact_has_account");
    tenant.age_invitations().await;
    let resend = format!("{PATH}/{open}/resend");
    tenant.staff.post(&resend, json!({})).await.refused(409, "contact_has_account");
    tenant.staff.delete(&format!("{PATH}/{open}")).await.expect(204);
    invite(&second).await.refused(409, "contact_has_account");
    assert_eq!(system().mails_to(&second.email, 1).await.len(), 1);
    invite(&first).await.refused(409, "already_member");
    let path = format!("/api/v1/contacts/{contact}");
    assert_eq!(tenant.staff.get(&path).await.expect(200)["account_id"], json!(first.account));
    tenant.admin.delete(&format!("/api/v1/members/{}", first.account)).await.expect(204);
    assert_eq!(tenant.staff.get(&path).await.expect(200).get("account_id"), None);
}

#[tokio::test]
async fn customer_who_accepts_a_role_becomes_a_member() {
    let tenant = Tenant::new().await;
    let customer = &tenant.customer;
    let token = invited(&tenant.admin, &customer.email, "staff").await;
    customer.post(&format!("{PATH}/accept"), json!({ "token": token })).await.expect(204);
    assert_eq!(customer.get("/api/v1/auth/me").await.expect(200)["role"], "staff");
    // And not the other way round: who works there and is a customer as well keeps their role.
    let staff = person(tenant.id, "staff").await;
    let contact = tenant.contact().await;
    let body = json!({ "email": staff.email, "role": "customer", "contact_id": contact });
    tenant.admin.post(PATH, body).await.refused(409, "already_member");
}

#[tokio::test]
async fn expired_invitation_is_not_open_and_blocks_no_new_one() {
    let tenant = Tenant::new().await;
    let email = address();
    let first = tenant.admin.post(PATH, json!({ "email": email, "role": "admin" })).await.created();
    let old = system().token_mailed_to(&email).await;
    tenant
        .admin
        .post(PATH, json!({ "email": email, "role": "viewer" }))
        .await
        .refused(409, "already_invited");
    tenant.expire_invitations().await;
    assert_eq!(tenant.staff.get(PATH).await.expect(200)["items"], json!([]));
    let second = tenant.admin.post(PATH, json!({ "email": email, "role": "viewer" })).await.created();
    assert_ne!(first, second);
    let listed = tenant.staff.get(PATH).await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    tenant.admin.get(&format!("{PATH}/{first}")).await.refused(404, "not_found");
    let look = json!({ "token": old });
    Actor::anonymous().post(&format!("{PATH}/look"), look).await.invalid("token", "not_found");
}
