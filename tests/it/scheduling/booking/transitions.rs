//! The life of an appointment: approval, moving, ending; holds; asking twice.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Tenant, system};

const PATH: &str = "/api/v1/appointments";

pub struct Shop {
    pub tenant: Tenant,
    pub service: String,
    pub provider: String,
    pub contact: String,
}

impl Shop {
    pub async fn new() -> Self {
        Self::with(json!({})).await
    }

    pub async fn with(rules: Value) -> Self {
        let tenant = Tenant::new().await;
        let mut body = json!({ "name": "Service", "duration_minutes": 30, "slot_step_minutes": 15 });
        for (name, value) in rules.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let service = tenant.service_with(body).await;
        let (provider, contact) = (tenant.provider().await, tenant.contact().await);
        Self { tenant, service, provider, contact }
    }

    pub fn body(&self, start: &str) -> Value {
        json!({ "service_id": self.service, "contact_id": self.contact, "starts_at": start })
    }

    pub async fn book(&self, start: &str) -> String {
        self.tenant.staff.post(PATH, self.body(start)).await.created()
    }

    pub async fn act(&self, id: &str, action: &str, body: Value) -> Answer {
        self.tenant.staff.post(&format!("{PATH}/{id}/{action}"), body).await
    }

    pub async fn get(&self, id: &str) -> Value {
        self.tenant.viewer.get(&format!("{PATH}/{id}")).await.expect(200)
    }

    pub async fn hold(&self, start: &str) -> Answer {
        self.tenant
            .staff
            .post("/api/v1/holds", json!({ "service_id": self.service, "starts_at": start }))
            .await
    }

    /// Moves an appointment in time, as only waiting could: with all it takes, past every rule.
    pub async fn shift(&self, id: &str, starts_at: DateTime<Utc>) {
        let id: uuid::Uuid = id.parse().expect("an id");
        let superuser = system().superuser().await;
        for sql in [
            "update scheduling.shared_claims as s
             set starts_at = s.starts_at + ($2::timestamptz - a.starts_at), ends_at = s.ends_at + ($2::timestamptz - a.starts_at)
             from scheduling.claims as c, scheduling.appointments as a
             where a.id = $1 and c.appointment_id = a.id and s.claim_id = c.id",
            "update scheduling.claims as c
             set
                 starts_at = c.starts_at + ($2::timestamptz - a.starts_at),
                 ends_at = c.ends_at + ($2::timestamptz - a.starts_at),
                 serves_at = c.serves_at + ($2::timestamptz - a.starts_at)
             from scheduling.appointments as a
             where a.id = $1 and c.appointment_id = a.id",
            "update scheduling.appointment_segments as g
             set starts_at = g.starts_at + ($2::timestamptz - a.starts_at), ends_at = g.ends_at + ($2::timestamptz - a.starts_at)
             from scheduling.appointments as a
             where a.id = $1 and g.appointment_id = a.id",
            "update scheduling.appointments
             set starts_at = $2::timestamptz, ends_at = ends_at + ($2::timestamptz - starts_at)
             where id = $1",
        ] {
            superuser.execute(sql, &[&id, &starts_at]).await.expect("another time");
        }
    }

    pub async fn expire(&self, hold: &str) {
        let id: uuid::Uuid = hold.parse().expect("an id");
        let superuser = system().superuser().await;
        for sql in [
            "update scheduling.holds set expires_at = now() - interval '1 second' where id = $1",
            "update scheduling.claims set expires_at = now() - interval '1 second' where hold_id = $1 and expires_at is not null",
        ] {
            superuser.execute(sql, &[&id]).await.expect("an expiry");
        }
    }
}

/// The file a DBA would run, about one organization: others belong to tests that break things on purpose.
pub async fn nothing_is_wrong(tenant: &Tenant) {
    let audit = include_str!("../../../../sql/audit/bookings.sql");
    let sql = format!("select finding, id from ({audit}) as f where tenant_id = $1");
    let rows = system().superuser().await.query(&sql, &[&tenant.id]).await.expect("an audit");
    let findings: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row.get::<_, &str>(0), row.get::<_, uuid::Uuid>(1))).collect();
    assert_eq!(findings, Vec::<String>::new());
}

#[tokio::test]
async fn the_map_of_transitions_is_kept_and_each_says_who_and_when() {
    let shop = Shop::with(json!({ "requires_approval": true })).await;
    let all = ["confirm", "decline", "cancel", "check-in", "start", "complete", "no-show", "undo"];
    // The way there, and what is allowed there.
    let map: [(&[&str], &str, &[&str]); 8] = [
        (&[], "pending", &["confirm", "decline", "cancel"]),
        (&["confirm"], "confirmed", &["cancel", "check-in", "start", "no-show"]),
        (&["confirm", "check-in"], "checked_in", &["cancel", "start", "complete", "undo"]),
        (&["confirm", "start"], "in_progress", &["complete", "undo"]),
        (&["confirm", "check-in", "complete"], "completed", &["undo"]),
        (&["cancel"], "cancelled", &[]),
        (&["decline"], "declined", &[]),
        (&["confirm", "no-show"], "no_show", &["undo"]),
    ];
    let mut day = 0;
    for (way, status, allowed) in map {
        for action in all {
            day += 1;
            let date = format!("{:02}-{:02}T09:00:00Z", 1 + day / 28, 1 + day % 28);
            let id = shop.book(&format!("2031-{date}")).await;
            // Long ago: no step is too early.
            shop.shift(&id, format!("2021-{date}").parse().expect("an instant")).await;
            for step in way {
                shop.act(&id, step, json!({})).await.expect(200);
            }
            assert_eq!(shop.get(&id).await["status"], status);
            let answer = shop.act(&id, action, json!({ "reason": "Because." })).await;
            if allowed.contains(&action) {
                answer.expect(200);
                let path = format!("{PATH}/{id}/transitions");
                let listed = shop.tenant.viewer.get(&path).await.expect(200);
                let last = listed["items"].as_array().expect("items").last().expect("one").clone();
                assert_eq!(last["action"], action.replace('-', "_"));
                assert_eq!((&last["from_status"], &last["reason"]), (&json!(status), &json!("Because.")));
                assert_eq!(
                    (&last["actor_id"], &last["actor_role"]),
                    (&json!(shop.tenant.staff.account), &json!("staff"))
                );
                assert!(last["occurred_at"].is_string());
            } else {
                let problem = answer.refused(409, "transition_not_allowed");
                let mut said: Vec<_> = problem["allowed"].as_array().expect("a list").clone();
                said.retain(|action| !["reschedule", "swap"].contains(&action.as_str().expect("text")));
                assert_eq!(
                    said,
                    allowed.iter().map(|a| json!(a.replace('-', "_"))).collect::<Vec<_>>(),
                    "{status}"
                );
                assert_eq!(shop.get(&id).await["status"], status);
            }
        }
    }
    nothing_is_wrong(&shop.tenant).await;
}

/// The claims of an appointment: how many minutes each has from now on, rounded.
async fn minutes_left(id: &str, now: DateTime<Utc>) -> Vec<i64> {
    let id: uuid::Uuid = id.parse().expect("an id");
    let sql = "select ends_at from scheduling.claims where appointment_id = $1 order by ends_at";
    let rows = system().superuser().await.query(sql, &[&id]).await.expect("claims");
    rows.iter()
        .map(|row| {
            ((row.get::<_, DateTime<Utc>>(0) - now).num_milliseconds() as f64 / 60_000.0).round() as i64
        })
        .collect()
}

#[tokio::test]
async fn step_before_its_time_is_refused() {
    let shop = Shop::new().await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    for step in ["check-in", "start", "no-show"] {
        shop.act(&id, step, json!({})).await.refused(409, "too_early");
    }
    shop.act(&id, "complete", json!({})).await.refused(409, "transition_not_allowed");
    assert_eq!(shop.get(&id).await["status"], "confirmed");
    // An hour before the start one can check in, and no more.
    shop.shift(&id, Utc::now() + TimeDelta::minutes(61)).await;
    let refused = shop.act(&id, "check-in", json!({})).await.refused(409, "too_early");
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("The action check_in is possible from 20"))
    );
    shop.shift(&id, Utc::now() + TimeDelta::minutes(59)).await;
    shop.act(&id, "check-in", json!({})).await.expect(200);
    for step in ["start", "complete"] {
        shop.act(&id, step, json!({})).await.refused(409, "too_early");
    }
    shop.shift(&id, Utc::now() - TimeDelta::seconds(1)).await;
    shop.act(&id, "start", json!({})).await.expect(200);
    shop.act(&id, "complete", json!({})).await.expect(200);

    let settings = "/api/v1/organizations/me/settings";
    assert_eq!(shop.tenant.viewer.get(settings).await.expect(200)["check_in_opens_minutes"], 60);
    let longer = json!({ "check_in_opens_minutes": 90 });
    assert_eq!(shop.tenant.admin.patch(settings, longer).await.expect(200)["check_in_opens_minutes"], 90);
    shop.tenant
        .admin
        .patch(settings, json!({ "check_in_opens_minutes": 1441 }))
        .await
        .invalid("check_in_opens_minutes", "out_of_range");
    let other = shop.book("2031-05-06T09:00:00Z").await;
    shop.shift(&other, Utc::now() + TimeDelta::minutes(89)).await;
    shop.act(&other, "check-in", json!({})).await.expect(200);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn time_after_early_completion_is_free_until_it_is_undone() {
    let shop = Shop::with(json!({ "buffer_after_minutes": 10 })).await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let now = Utc::now();
    shop.shift(&id, now - TimeDelta::minutes(10)).await;
    assert_eq!(
        minutes_left(&id, now).await,
        [20, 30],
        "the contact's time, and the provider's with the buffer"
    );
    shop.act(&id, "start", json!({})).await.expect(200);
    let completed = shop.act(&id, "complete", json!({})).await.expect(200);
    assert_eq!(minutes_left(&id, now).await, [0, 10]);
    let instant = |name: &str| -> DateTime<Utc> {
        completed[name].as_str().expect("text").parse().expect("an instant")
    };
    assert_eq!(instant("ends_at") - instant("starts_at"), TimeDelta::minutes(30), "what was agreed stays");
    // Somebody else takes what is free, so that it cannot be undone; then it can.
    let mut body = shop.body(&(now + TimeDelta::minutes(15)).to_rfc3339());
    (body["override_rules"], body["provider_id"]) = (json!(true), json!(shop.provider));
    let other = shop.tenant.staff.post(PATH, body).await.created();
    let undo = shop.act(&id, "undo", json!({})).await;
    undo.refused(409, "slot_unavailable");
    assert_eq!(minutes_left(&id, now).await, [0, 10]);
    assert_eq!(shop.get(&id).await["status"], "completed");
    shop.act(&other, "cancel", json!({})).await.expect(200);
    let undone = shop.act(&id, "undo", json!({ "reason": "Not over yet." })).await.expect(200);
    assert_eq!(undone["status"], "in_progress");
    assert_eq!(minutes_left(&id, now).await, [20, 30]);
    // Back to where it was before it began.
    assert_eq!(shop.act(&id, "undo", json!({})).await.expect(200)["status"], "confirmed");
    shop.act(&id, "undo", json!({})).await.refused(409, "transition_not_allowed");
    let listed = shop.tenant.viewer.get(&format!("{PATH}/{id}/transitions")).await.expect(200);
    let seen: Vec<_> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            format!("{} {} {}", item["action"], item["from_status"], item["to_status"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        seen,
        [
            "start confirmed in_progress",
            "complete in_progress completed",
            "undo completed in_progress",
            "undo in_progress confirmed"
        ]
    );
    // Completed after its end it keeps all of its time.
    shop.shift(&id, now - TimeDelta::minutes(35)).await;
    shop.act(&id, "start", json!({})).await.expect(200);
    shop.act(&id, "complete", json!({})).await.expect(200);
    assert_eq!(minutes_left(&id, now).await, [-5, 5]);
    shop.act(&id, "undo", json!({})).await.expect(200);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_of_no_show_is_free_and_undoing_competes_for_it() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..6 {
        let id = shop.book(&format!("2031-05-{:02}T09:00:00Z", 5 + round)).await;
        let starts_at = Utc::now() - TimeDelta::minutes(5) - TimeDelta::hours(round);
        shop.shift(&id, starts_at).await;
        let before = shop.get(&id).await;
        let marked = shop.act(&id, "no-show", json!({})).await.expect(200);
        assert_eq!((&marked["status"], &marked["sequence"]), (&json!("no_show"), &json!(1)));
        assert_eq!(minutes_left(&id, starts_at).await, [0; 0]);
        let mut body = shop.body(&(starts_at + TimeDelta::minutes(10)).to_rfc3339());
        (body["override_rules"], body["provider_id"]) = (json!(true), json!(shop.provider));
        let (undone, booked) = join(
            shop.act(&id, "undo", json!({})),
            join_all((0..3).map(|_| shop.tenant.staff.post(PATH, body.clone()))),
        )
        .await;
        let won = booked.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won + usize::from(undone.status == 200), 1, "{undone:?} {booked:?}");
        if undone.status == 200 {
            assert_eq!(
                (&undone.body["status"], minutes_left(&id, starts_at).await),
                (&before["status"], vec![30])
            );
        } else {
            undone.refused(409, "slot_unavailable");
        }
    }
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn visit_completed_early_frees_the_services_that_were_left() {
    let shop = Shop::new().await;
    let second = shop
        .tenant
        .service_with(json!({ "name": "Second", "duration_minutes": 30, "buffer_after_minutes": 5 }));
    let second = second.await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["and_then"] = json!([second]);
    let id = shop.tenant.staff.post(PATH, body).await.created();
    let now = Utc::now();
    shop.shift(&id, now - TimeDelta::minutes(10)).await;
    let whole = minutes_left(&id, now).await;
    assert_eq!(whole, [20, 50, 55]);
    shop.act(&id, "start", json!({})).await.expect(200);
    let completed = shop.act(&id, "complete", json!({})).await.expect(200);
    assert_eq!(completed["segments"].as_array().map(Vec::len), Some(2));
    assert_eq!(minutes_left(&id, now).await, [0, 0], "the contact's and the first service's");
    let undone = shop.act(&id, "undo", json!({})).await.expect(200);
    assert_eq!(undone["segments"], completed["segments"]);
    assert_eq!(minutes_left(&id, now).await, whole);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn seat_of_no_show_is_free_and_completed_seat_keeps_the_session() {
    let shop = Shop::with(json!({ "capacity": 2, "contact_may_overlap": true })).await;
    let (one, two) = (shop.book("2031-05-05T09:00:00Z").await, shop.book("2031-05-05T09:00:00Z").await);
    let now = Utc::now();
    let starts_at = now - TimeDelta::minutes(10);
    shop.act(&one, "cancel", json!({})).await.expect(200);
    shop.shift(&two, starts_at).await;
    shop.act(&two, "start", json!({})).await.expect(200);
    shop.act(&two, "complete", json!({})).await.expect(200);
    assert_eq!(minutes_left(&two, now).await, [20]);
    let three = shop.book("2031-05-06T09:00:00Z").await;
    shop.shift(&three, starts_at - TimeDelta::hours(1)).await;
    shop.act(&three, "no-show", json!({})).await.expect(200);
    assert_eq!(minutes_left(&three, now).await, [0; 0]);
    shop.act(&three, "undo", json!({})).await.expect(200);
    assert_eq!(minutes_left(&three, now - TimeDelta::hours(1)).await, [20]);
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn pending_blocks_the_time_and_declined_frees_it() {
    let shop = Shop::with(json!({ "requires_approval": true })).await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    assert_eq!(shop.get(&id).await["status"], "pending");
    shop.tenant.staff.post(PATH, shop.body("2031-05-05T09:15:00Z")).await.refused(409, "slot_unavailable");
    // Two who confirm at once: one does.
    let answers = join_all((0..6).map(|_| shop.act(&id, "confirm", json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let other = shop.book("2031-05-05T10:00:00Z").await;
    shop.act(&other, "decline", json!({ "reason": "Full." })).await.expect(200);
    assert_eq!(shop.get(&other).await["cancellation_reason"], "Full.");
    shop.book("2031-05-05T10:00:00Z").await;
}

#[tokio::test]
async fn a_start_that_is_taken_comes_with_others() {
    let shop = Shop::new().await;
    shop.book("2031-05-05T09:00:00Z").await;
    let other = shop.tenant.contact().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["contact_id"] = json!(other);
    let problem = shop.tenant.staff.post(PATH, body.clone()).await.refused(409, "slot_unavailable");
    assert_eq!(problem["errors"][0]["code"], "busy");
    let alternatives = problem["alternatives"].as_array().expect("others").clone();
    assert_eq!(alternatives.len(), 3);
    assert_eq!(alternatives[0]["starts_at"], "2031-05-05T09:30:00Z");
    for alternative in &alternatives {
        body["starts_at"] = alternative["starts_at"].clone();
        let id = shop.tenant.staff.post(PATH, body.clone()).await.created();
        shop.act(&id, "cancel", json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn start_against_the_rules_is_told_which_and_comes_with_others() {
    let shop = Shop::with(json!({ "min_notice_minutes": 60, "bookable_until": "2031-05-09" })).await;
    let moved = shop.book("2031-05-05T16:00:00Z").await;
    let soon = (Utc::now() + TimeDelta::minutes(30)).to_rfc3339();
    for (start, code, detail) in [
        ("2020-05-05T09:00:00Z", "too_soon", "The start is in the past."),
        (&*soon, "too_soon", "The service has to be booked earlier before its start (min_notice_minutes)."),
        (
            "2031-05-05T08:00:00Z",
            "outside_hours",
            "The service does not fit into working hours at this time.",
        ),
        (
            "2031-05-05T09:10:00Z",
            "off_grid",
            "The service does not start at this time; GET /api/v1/services/{service_id}/slots lists the starts.",
        ),
        (
            "2031-05-10T09:00:00Z",
            "too_far",
            "The service cannot be booked that far ahead, or is not offered on this date.",
        ),
    ] {
        let answers = [
            shop.tenant.staff.post(PATH, shop.body(start)).await,
            shop.hold(start).await,
            shop.act(&moved, "reschedule", json!({ "starts_at": start })).await,
        ];
        for answer in answers {
            let problem = answer.refused(422, "invalid");
            assert_eq!(problem["detail"], format!("starts_at: {detail}"), "{start}");
            assert_eq!(
                (&problem["errors"][0]["code"], &problem["errors"][0]["detail"]),
                (&json!(code), &json!(detail))
            );
            if start.starts_with("2031-05-05") {
                let others = problem["alternatives"].as_array().expect("others").clone();
                assert_eq!(others.len(), 3, "{start}: {problem}");
                assert!(
                    others.iter().any(|other| other["starts_at"] == "2031-05-05T09:00:00Z"),
                    "{start}: {problem}"
                );
            }
        }
    }
    let mut body = shop.body("2031-05-05T09:10:00Z");
    body["contact_id"] = json!(shop.tenant.contact().await);
    let problem = shop.tenant.staff.post(PATH, body.clone()).await.refused(422, "invalid");
    for alternative in problem["alternatives"].as_array().expect("others") {
        body["starts_at"] = alternative["starts_at"].clone();
        let id = shop.tenant.staff.post(PATH, body.clone()).await.created();
        shop.act(&id, "cancel", json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn a_contact_is_in_one_place_at_a_time_unless_the_service_says_otherwise() {
    let shop = Shop::new().await;
    shop.tenant.provider().await;
    shop.book("2031-05-05T09:00:00Z").await;
    shop.tenant.staff.post(PATH, shop.body("2031-05-05T09:15:00Z")).await.refused(409, "contact_busy");
    shop.book("2031-05-05T09:30:00Z").await;
    shop.tenant.provider().await;
    // Both at once, at different providers: one.
    let bodies = [shop.body("2031-05-06T09:00:00Z"), shop.body("2031-05-06T09:15:00Z")];
    let answers = join_all(bodies.map(|body| shop.tenant.staff.post(PATH, body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let path = format!("/api/v1/services/{}", shop.service);
    shop.tenant.manager.patch(&path, json!({ "contact_may_overlap": true })).await.expect(200);
    shop.book("2031-05-05T09:15:00Z").await;
}

#[tokio::test]
async fn contact_that_is_known_is_listed_and_told_only_what_it_can_book() {
    let shop = Shop::new().await;
    let second = shop.tenant.provider().await;
    let mut body = shop.body("2031-05-05T09:30:00Z");
    body["provider_id"] = json!(second);
    shop.tenant.staff.post(PATH, body).await.expect(201);
    let other = shop.tenant.contact().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    (body["provider_id"], body["contact_id"]) = (json!(shop.provider), json!(other));
    shop.tenant.staff.post(PATH, body).await.expect(201);
    // The first provider is taken at 09:00; at 09:15 to 09:45 the contact is with the second.
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(shop.provider);
    let taken = shop.tenant.staff.post(PATH, body.clone()).await.refused(409, "slot_unavailable");
    body["starts_at"] = json!("2031-05-05T09:45:00Z");
    let busy = shop.tenant.staff.post(PATH, body.clone()).await.refused(409, "contact_busy");
    assert_eq!(busy["errors"][0]["code"], "contact_busy");
    for (problem, nearest) in [(taken, "2031-05-05T10:00:00Z"), (busy, "2031-05-05T10:00:00Z")] {
        let alternatives = problem["alternatives"].as_array().expect("others").clone();
        assert_eq!(alternatives[0]["starts_at"], nearest, "{problem}");
        for alternative in alternatives {
            body["starts_at"] = alternative["starts_at"].clone();
            let id = shop.tenant.staff.post(PATH, body.clone()).await.created();
            shop.act(&id, "cancel", json!({})).await.expect(200);
        }
    }
    let path = format!(
        "/api/v1/services/{}/slots?from=2031-05-05T09:00:00Z&to=2031-05-05T10:15:00Z&provider_id={}",
        shop.service, shop.provider
    );
    let starts = async |more: &str| -> Vec<Value> {
        let listed = shop.tenant.viewer.get(&format!("{path}{more}")).await.expect(200);
        listed["items"].as_array().expect("items").iter().map(|slot| slot["starts_at"].clone()).collect()
    };
    let at = |times: &[&str]| -> Vec<Value> {
        times.iter().map(|time| json!(format!("2031-05-05T{time}:00Z"))).collect()
    };
    assert_eq!(starts("").await, at(&["09:30", "09:45", "10:00"]));
    assert_eq!(starts(&format!("&contact_id={}", shop.contact)).await, at(&["10:00"]));
    let listed = shop
        .tenant
        .viewer
        .get(&format!("{path}&contact_id={}&include=unavailable", shop.contact))
        .await
        .expect(200);
    let reasons: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|slot| slot["reasons"].clone()).collect();
    assert_eq!(
        reasons,
        [json!(["busy"]), json!(["busy"]), json!(["contact_busy"]), json!(["contact_busy"]), Value::Null]
    );
    shop.tenant
        .viewer
        .get(&format!("{path}&contact_id={}", shop.service))
        .await
        .invalid("contact_id", "not_found");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn whoever_has_least_that_day_is_chosen() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    let other = shop.tenant.provider().await;
    let mut body = shop.body("2031-05-05T09:00:00Z");
    body["provider_id"] = json!(shop.provider);
    for start in ["2031-05-05T09:00:00Z", "2031-05-05T10:00:00Z"] {
        body["starts_at"] = json!(start);
        shop.tenant.staff.post(PATH, body.clone()).await.expect(201);
    }
    let mut chosen = Vec::new();
    for hour in 11..15 {
        let booked =
            shop.tenant.staff.post(PATH, shop.body(&format!("2031-05-05T{hour}:00:00Z"))).await.expect(201);
        chosen.push(booked["provider_id"].as_str().expect("an id").to_owned());
    }
    // Two behind, she catches up; then the first comes first.
    assert_eq!(chosen, [other.clone(), other.clone(), shop.provider.clone(), other]);
}

#[tokio::test]
async fn an_appointment_is_moved_in_place_or_stays() {
    let shop = Shop::with(json!({ "max_per_day": 2 })).await;
    let id = shop.book("2031-05-05T09:00:00Z").await;
    let other = shop.book("2031-05-05T11:00:00Z").await;
    // Its own time is free to it, and it does not count towards the limit.
    let listed = shop
        .tenant
        .viewer
        .get(&format!(
            "/api/v1/services/{}/slots?from=2031-05-05&to=2031-05-06&reschedule_of={id}",
            shop.service
        ))
        .await
        .expect(200);
    let free: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|slot| slot["starts_at"].clone()).collect();
    assert!(free.contains(&json!("2031-05-05T09:15:00Z")) && !free.contains(&json!("2031-05-05T11:00:00Z")));
    let nothing = format!(
        "/api/v1/services/{}/slots?from=2031-05-05&to=2031-05-06&reschedule_of={}",
        shop.service, shop.contact
    );
    shop.tenant.viewer.get(&nothing).await.invalid("reschedule_of", "not_found");
    let moved = shop.act(&id, "reschedule", json!({ "starts_at": "2031-05-05T09:15:00Z" })).await.expect(200);
    assert_eq!((&moved["id"], &moved["starts_at"]), (&json!(id), &json!("2031-05-05T09:15:00Z")));
    assert_eq!((&moved["sequence"], &moved["status"]), (&json!(1), &json!("confirmed")));
    // Refused, and nothing has changed.
    for (start, status) in
        [("2031-05-05T11:15:00Z", 409), ("2031-05-05T20:00:00Z", 422), ("2031-05-05T09:20:00Z", 422)]
    {
        let refused = shop.act(&id, "reschedule", json!({ "starts_at": start })).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        // With others where it is taken, its own time among them.
        if status == 409 {
            let others = refused.body["alternatives"].as_array().expect("others").clone();
            assert!(others.len() == 3 && others[0]["starts_at"] != "2031-05-05T11:15:00Z", "{others:?}");
        }
        assert_eq!(shop.get(&id).await, moved);
    }
    shop.tenant
        .staff
        .post(PATH, shop.body("2031-05-05T09:30:00Z"))
        .await
        .invalid("starts_at", "limit_reached");
    let path = format!("{PATH}/{id}/transitions");
    let listed = shop.tenant.viewer.get(&path).await.expect(200);
    assert_eq!(listed["items"][0]["from_starts_at"], "2031-05-05T09:00:00Z");
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    shop.act(&other, "cancel", json!({})).await.expect(200);
    shop.act(&other, "reschedule", json!({ "starts_at": "2031-05-06T09:00:00Z" }))
        .await
        .refused(409, "transition_not_allowed");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn two_appointments_are_swapped_or_stay() {
    let shop = Shop::new().await;
    let second = shop.tenant.provider().await;
    let other_contact = shop.tenant.contact().await;
    let mut first = shop.body("2031-05-05T09:00:00Z");
    first["provider_id"] = json!(shop.provider);
    let first = shop.tenant.staff.post(PATH, first).await.created();
    let mut other = shop.body("2031-05-05T09:15:00Z");
    (other["provider_id"], other["contact_id"]) = (json!(second), json!(other_contact));
    let other = shop.tenant.staff.post(PATH, other).await.created();
    let swapped = shop.act(&first, "swap", json!({ "appointment_id": other })).await.expect(200);
    assert_eq!(
        (&swapped["starts_at"], &swapped["provider_id"]),
        (&json!("2031-05-05T09:15:00Z"), &json!(second))
    );
    let there = shop.get(&other).await;
    assert_eq!(
        (&there["starts_at"], &there["provider_id"]),
        (&json!("2031-05-05T09:00:00Z"), &json!(shop.provider))
    );
    // Everybody at once, back and forth: whatever happens, they hold two different times.
    let both = [(&first, &other), (&other, &first)];
    let answers = join_all((0..6).map(|n| {
        let (one, two) = both[n % 2];
        shop.act(one, "swap", json!({ "appointment_id": two }))
    }))
    .await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409 | 503)), "{answers:?}");
    shop.act(&first, "swap", json!({ "appointment_id": first }))
        .await
        .invalid("appointment_id", "invalid_value");
    shop.act(&other, "cancel", json!({})).await.expect(200);
    shop.act(&first, "swap", json!({ "appointment_id": other })).await.refused(409, "transition_not_allowed");
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_move_book_and_cancel_at_once_no_two_have_one_time() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..8 {
        let day = format!("2031-05-{:02}", 5 + round);
        let (one, two) =
            (shop.book(&format!("{day}T09:00:00Z")).await, shop.book(&format!("{day}T10:00:00Z")).await);
        let target = json!({ "starts_at": format!("{day}T11:00:00Z") });
        let (moves, bookings) = join(
            join_all([&one, &two].map(|id| shop.act(id, "reschedule", target.clone()))),
            join_all((0..4).map(|_| shop.tenant.staff.post(PATH, shop.body(&format!("{day}T11:00:00Z"))))),
        )
        .await;
        let won = moves.iter().filter(|answer| answer.status == 200).count()
            + bookings.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won, 1, "{moves:?} {bookings:?}");
        // Cancelled and moved at once: it is one or the other, and cancelled at last.
        let (cancelled, moved) = join(
            shop.act(&one, "cancel", json!({})),
            shop.act(&one, "reschedule", json!({ "starts_at": format!("{day}T13:00:00Z") })),
        )
        .await;
        cancelled.expect(200);
        assert!(matches!(moved.status, 200 | 409), "{moved:?}");
        assert_eq!(shop.get(&one).await["status"], "cancelled");
    }
    // Onto each other's time, again and again.
    let (one, two) = (shop.book("2031-06-05T09:00:00Z").await, shop.book("2031-06-05T10:00:00Z").await);
    for _ in 0..5 {
        let (a, b) = join(
            shop.act(&one, "reschedule", json!({ "starts_at": "2031-06-05T10:00:00Z" })),
            shop.act(&two, "reschedule", json!({ "starts_at": "2031-06-05T09:00:00Z" })),
        )
        .await;
        assert!([a.status, b.status].iter().all(|status| matches!(status, 200 | 409)), "{a:?} {b:?}");
    }
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test]
async fn a_hold_keeps_the_time_until_it_is_confirmed_or_expires() {
    let shop = Shop::new().await;
    let hold = shop.hold("2031-05-05T09:00:00Z").await.created();
    let path = format!("/api/v1/holds/{hold}");
    shop.tenant.staff.post(PATH, shop.body("2031-05-05T09:00:00Z")).await.refused(409, "slot_unavailable");
    shop.hold("2031-05-05T09:15:00Z").await.refused(409, "slot_unavailable");
    let contact = json!({ "contact": { "first_name": "Grace", "last_name": "Hopper" } });
    let booked = shop.tenant.staff.post(&format!("{path}/confirm"), contact.clone()).await.expect(201);
    assert_eq!(
        (&booked["starts_at"], &booked["status"]),
        (&json!("2031-05-05T09:00:00Z"), &json!("confirmed"))
    );
    shop.tenant.viewer.get(&path).await.refused(404, "not_found");
    let again = shop.tenant.staff.post(&format!("{path}/confirm"), contact.clone()).await.expect(201);
    assert_eq!(again["id"], booked["id"], "a hold that was confirmed answers its appointment");

    let hold = shop.hold("2031-05-05T10:00:00Z").await.created();
    let path = format!("/api/v1/holds/{hold}");
    shop.expire(&hold).await;
    // It is as if it were not there.
    shop.tenant.viewer.get(&path).await.refused(404, "not_found");
    assert_eq!(shop.tenant.viewer.get("/api/v1/holds").await.expect(200)["items"], json!([]));
    let slots =
        format!("/api/v1/services/{}/slots?from=2031-05-05T10:00:00Z&to=2031-05-05T10:01:00Z", shop.service);
    assert_eq!(shop.tenant.viewer.get(&slots).await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    let late = shop.tenant.staff.post(&format!("{path}/confirm"), contact.clone()).await;
    // A server removes what is over within some seconds.
    let said = (late.status, late.body["code"].as_str().unwrap_or_default());
    assert!([(409, "hold_expired"), (404, "not_found")].contains(&said), "{}", late.text);
    shop.book("2031-05-05T10:00:00Z").await;
    shop.tenant.staff.post(&format!("{path}/confirm"), contact).await.refused(404, "not_found");

    // One that is over keeps nothing from being deleted.
    let other = shop.tenant.service().await;
    let body = json!({ "service_id": other, "starts_at": "2031-05-05T15:00:00Z" });
    let held = shop.tenant.staff.post("/api/v1/holds", body).await.created();
    let other = format!("/api/v1/services/{other}");
    shop.tenant.manager.delete(&other).await.refused(409, "service_in_use");
    shop.expire(&held).await;
    shop.tenant.manager.delete(&other).await.expect(204);

    let hold = shop.hold("2031-05-05T11:00:00Z").await.created();
    shop.tenant.staff.delete(&format!("/api/v1/holds/{hold}")).await.expect(204);
    shop.book("2031-05-05T11:00:00Z").await;
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_is_confirmed_or_taken_over_and_never_both() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    for round in 0..12 {
        let start = format!("2031-05-{:02}T09:00:00Z", 5 + round);
        let hold = shop.hold(&start).await.created();
        let path = format!("/api/v1/holds/{hold}/confirm");
        let confirm = shop.tenant.staff.post(&path, json!({ "contact_id": shop.contact }));
        let takeovers = join_all((0..4).map(|_| shop.tenant.staff.post(PATH, shop.body(&start))));
        if round % 2 == 0 {
            // In time, it always works.
            let (confirmed, others) = join(confirm, takeovers).await;
            confirmed.expect(201);
            assert!(others.iter().all(|answer| answer.status == 409), "{others:?}");
        } else {
            // Just as it expires.
            let (confirmed, ((), others)) = join(confirm, join(shop.expire(&hold), takeovers)).await;
            let won = usize::from(confirmed.status == 201)
                + others.iter().filter(|answer| answer.status == 201).count();
            assert!(won <= 1, "{confirmed:?} {others:?}");
        }
    }
    nothing_is_wrong(&shop.tenant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_twice_with_one_key_is_served_once() {
    let shop = Shop::with(json!({ "contact_may_overlap": true })).await;
    let ask = async |path: &str, key: &str, body: &Value| {
        let request = shop.tenant.staff.request(Method::POST, path).header("idempotency-key", key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        shop.tenant.staff.send(request).await
    };
    let body = shop.body("2031-05-05T09:00:00Z");
    // All at once.
    let answers = join_all((0..6).map(|_| ask(PATH, "one", &body))).await;
    let first = answers[0].body.clone();
    for answer in answers {
        assert_eq!((answer.status, &answer.body), (201, &first), "{}", answer.text);
    }
    // Another body; then a refused request, whose key can be used again.
    ask(PATH, "one", &shop.body("2031-05-05T10:00:00Z")).await.invalid("Idempotency-Key", "used_before");
    ask(PATH, "two", &body).await.refused(409, "slot_unavailable");
    let id = first["id"].as_str().expect("an id");
    shop.act(id, "cancel", json!({})).await.expect(200);
    let second = ask(PATH, "two", &body).await.expect(201);
    assert_ne!(second["id"], first["id"]);
    assert_eq!(ask(PATH, "two", &body).await.expect(201), second);
    // Each account and operation has keys of its own.
    let hold = json!({ "service_id": shop.service, "starts_at": "2031-05-05T12:00:00Z" });
    let held = ask("/api/v1/holds", "two", &hold).await.expect(201);
    assert_eq!(ask("/api/v1/holds", "two", &hold).await.expect(201), held);
    let request = shop.tenant.admin.request(Method::POST, PATH).header("idempotency-key", "two");
    let theirs = shop.body("2031-05-05T14:00:00Z").to_string();
    let request = request.header("content-type", "application/json").body(theirs);
    let theirs = shop.tenant.admin.send(request).await.expect(201);
    assert_ne!(theirs["id"], second["id"]);
    ask(PATH, &"x".repeat(256), &body).await.invalid("Idempotency-Key", "invalid_value");
}
