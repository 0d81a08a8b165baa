//! Eight clients send random operations for a minute, with server and worker killed and PostgreSQL restarted in the
//! middle. Afterwards, the query of the DBA finds nothing, and every change of a row is one event.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{Days, TimeDelta, Utc};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::harness::{Restartable, connect, eventually, load_demo, program::Serve};

/// Where events and the change log differ, or events are not numbered from 1 without gaps.
const UNLIKE: &str = "
    with logged as (
        select tenant_id, relation || '.' || action as what, count(*) as changes
        from operations.audit_events
        where
            relation in ('scheduling.appointments', 'crm.contacts')
            or (relation, action) in (('scheduling.holds', 'insert'), ('scheduling.waitlist_entries', 'insert'))
        group by 1, 2
    ),
    told as (
        select
            tenant_id,
            case split_part(type, '.', 1)
                when 'appointment' then 'scheduling.appointments'
                when 'contact' then 'crm.contacts'
                when 'hold' then 'scheduling.holds'
                else 'scheduling.waitlist_entries'
            end || '.' || case
                when split_part(type, '.', 2) in ('created', 'requested', 'joined') then 'insert'
                when split_part(type, '.', 2) = 'deleted' then 'delete'
                else 'update'
            end as what,
            count(distinct id) as changes
        from messaging.events
        where split_part(type, '.', 1) in ('appointment', 'contact') or type in ('hold.created', 'waitlist.joined')
        group by 1, 2
    )
    select coalesce(l.what, t.what), format('%s logged, %s told', l.changes, t.changes)
    from logged l
    full join told t on t.tenant_id = l.tenant_id and t.what = l.what
    where l.changes is distinct from t.changes
    union all
    select 'positions', format('%s events up to %s', count(e.position), t.last_position)
    from messaging.turns t
    left join messaging.events e on e.tenant_id = t.tenant_id
    group by t.tenant_id, t.last_position
    having count(e.position) <> t.last_position or count(distinct e.id) <> t.last_position";

const LONG: Duration = Duration::from_secs(60);

struct World {
    address: Mutex<String>,
    tokens: Vec<String>,
    /// What there is to act on: paths below `/api/v1`.
    things: Mutex<Vec<String>>,
    services: Vec<String>,
    providers: Vec<String>,
    contacts: Vec<String>,
    done: AtomicUsize,
    stop: AtomicBool,
}

/// Any sequence will do that differs from client to client.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.roll(all.len())].clone()) }
    }
}

impl World {
    async fn send(
        &self,
        client: &Client,
        dice: &mut Dice,
        method: Method,
        path: &str,
        body: Value,
    ) -> Option<(u16, Value)> {
        let address = self.address.lock().expect("no panic").clone();
        let token = dice.of(&self.tokens)?;
        let request = client
            .request(method, format!("http://{address}/api/v1/{path}"))
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let body = serde_json::from_str(&answer.text().await.ok()?).unwrap_or_default();
        // Away is away; a mistake is a mistake.
        assert!(status != 500, "{path}: {body}");
        self.done.fetch_add(1, Ordering::Relaxed);
        Some((status, body))
    }

    /// Few times, so that many meet.
    fn start(dice: &mut Dice) -> String {
        let day = (Utc::now() + Days::new(30)).date_naive() + Days::new(dice.roll(3) as u64);
        format!("{day}T{:02}:{:02}:00Z", 9 + dice.roll(8), 15 * dice.roll(4))
    }

    async fn act(&self, client: &Client, dice: &mut Dice) {
        let (service, provider, contact) =
            (dice.of(&self.services), dice.of(&self.providers), dice.of(&self.contacts));
        let mut body = json!({ "service_id": service, "starts_at": Self::start(dice) });
        // Half of them in the last days: only those can be checked in, completed or missed.
        if dice.roll(2) == 0 {
            let now = Utc::now() - TimeDelta::minutes(15 * dice.roll(300) as i64);
            body["starts_at"] = json!(now.format("%Y-%m-%dT%H:%M:00Z").to_string());
            body["override_rules"] = json!(true);
        }
        if dice.roll(2) == 0 {
            body["provider_id"] = json!(provider);
        }
        let thing = dice.of(&self.things.lock().expect("no panic").clone());
        let (method, path) = match (dice.roll(10), thing) {
            (0..4, _) | (_, None) => {
                body["contact_id"] = json!(contact);
                (Method::POST, "appointments".to_owned())
            }
            (4, _) => (Method::POST, "holds".to_owned()),
            (5, _) => {
                let day = (Utc::now() + Days::new(30)).date_naive();
                body = json!({
                    "service_id": service, "contact_id": contact, "from": format!("{day}T00:00:00Z"),
                    "to": format!("{}T00:00:00Z", day + Days::new(3)), "override_rules": true,
                });
                (Method::POST, "waitlist".to_owned())
            }
            (6, _) => {
                body = json!({ "service_id": service, "starts_at": Self::start(dice) });
                body["contact_id"] = json!(contact);
                (body["frequency"], body["count"]) = (json!("daily"), json!(2));
                (Method::POST, "appointment-series".to_owned())
            }
            (_, Some(thing)) => {
                let (kind, _) = thing.split_once('/').expect("a kind");
                let verb = match kind {
                    "appointments" => {
                        let verbs = [
                            "cancel",
                            "cancel",
                            "reschedule",
                            "reschedule",
                            "swap",
                            "confirm",
                            "check-in",
                            "start",
                            "complete",
                            "no-show",
                            "undo",
                        ];
                        verbs[dice.roll(verbs.len())]
                    }
                    "holds" => "confirm",
                    _ => ["accept", "decline", "withdraw"][dice.roll(3)],
                };
                let other = dice.of(&self.things.lock().expect("no panic").clone()).unwrap_or_default();
                body = match verb {
                    "reschedule" => json!({ "starts_at": Self::start(dice) }),
                    "swap" => json!({ "appointment_id": other.split('/').next_back() }),
                    "confirm" if kind == "holds" => json!({ "contact_id": contact }),
                    _ => json!({}),
                };
                (Method::POST, format!("{thing}/{verb}"))
            }
        };
        if let Some((201, made)) = self.send(client, dice, method, &path, body).await
            && let Some(id) = made["id"].as_str()
            && ["appointments", "holds", "waitlist"].contains(&path.as_str())
        {
            let mut things = self.things.lock().expect("no panic");
            things.push(format!("{path}/{id}"));
            if things.len() > 60 {
                things.remove(0);
            }
        }
    }
}

async fn json_of(client: &Client, url: String, token: &str) -> Value {
    let answer = client.get(url).bearer_auth(token).send().await.expect("an answer");
    serde_json::from_str(&answer.text().await.expect("text")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "sends requests for a minute, with restarts in between"]
async fn random_operations_of_eight_clients_leave_sound_bookings() {
    let mut cluster = Restartable::new().await;
    load_demo(cluster.running(), Utc::now()).await;
    // One person gives appointments in two organizations, and some services are for groups or want approval.
    connect(cluster.running(), "postgres", "appointd")
        .await
        .batch_execute(
            "with person as (select id from identity.accounts where email = 'admin@acme.com'),
             joined as (
                 insert into tenancy.members (tenant_id, account_id, role)
                 select o.id, p.id, 'staff' from tenancy.organizations o, person p where o.slug <> 'acme' on conflict do nothing
             )
             update scheduling.services set capacity = 3 where name = (select min(name) from scheduling.services);
             update scheduling.services set requires_approval = true where name = (select max(name) from scheduling.services);
             update scheduling.services set buffer_after_minutes = 10, slot_step_minutes = 15;
             update scheduling.schedules set time_zone = 'UTC';
             create temporary table people as
             select o.id as tenant_id, gen_random_uuid() as id, (select min(p.id::text)::uuid from scheduling.providers p where p.tenant_id = o.id) as like_id
             from tenancy.organizations o;
             insert into scheduling.resources (tenant_id, id, kind) select tenant_id, id, 'provider' from people;
             insert into scheduling.providers (tenant_id, id, name, account_id)
             select tenant_id, id, 'Shared', (select id from identity.accounts where email = 'admin@acme.com') from people;
             insert into scheduling.schedules (tenant_id, provider_id, time_zone) select tenant_id, id, 'UTC' from people;
             insert into scheduling.schedule_rules (tenant_id, provider_id, weekday, from_minute, to_minute)
             select p.tenant_id, p.id, r.weekday, r.from_minute, r.to_minute
             from people p join scheduling.schedule_rules r on r.tenant_id = p.tenant_id and r.provider_id = p.like_id",
        )
        .await
        .expect("a setting");
    let mut serve = Serve::working(cluster.running());
    let client = Client::new();
    let mut worlds = Vec::new();
    for (email, password, slug) in
        [("admin@acme.com", "admin123", "acme"), ("admin@acme.com", "admin123", "harbour")]
    {
        let body = json!({ "email": email, "password": password, "organization_slug": slug }).to_string();
        let request = client.post(format!("http://{}/api/v1/auth/login", serve.address));
        let answer =
            request.header("content-type", "application/json").body(body).send().await.expect("an answer");
        let answer: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        let ids = async |path: &str| -> Vec<String> {
            let list = json_of(&client, format!("http://{}/api/v1/{path}", serve.address), &token).await;
            let items = list["items"].as_array().expect("items").iter();
            items.map(|item| item["id"].as_str().expect("an id").to_owned()).take(12).collect()
        };
        let (services, providers, contacts) =
            (ids("services").await, ids("providers").await, ids("contacts").await);
        worlds.push(Arc::new(World {
            address: Mutex::new(serve.address.clone()),
            tokens: vec![token],
            things: Mutex::default(),
            services,
            providers,
            contacts,
            done: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }));
    }
    let clients: Vec<_> = (0..8u64)
        .map(|n| {
            let world = worlds[n as usize % 2].clone();
            tokio::spawn(async move {
                let (client, mut dice) = (Client::new(), Dice(n + 1));
                while !world.stop.load(Ordering::Relaxed) {
                    let before = world.done.load(Ordering::Relaxed);
                    world.act(&client, &mut dice).await;
                    if world.done.load(Ordering::Relaxed) == before {
                        sleep(Duration::from_millis(50)).await;
                    }
                }
            })
        })
        .collect();
    let began = Instant::now();
    let done = || worlds.iter().map(|world| world.done.load(Ordering::Relaxed)).sum::<usize>();
    sleep(LONG / 3).await;
    let before_the_kill = done();
    // SIGKILL, in the middle of requests.
    serve.child.kill().expect("it runs");
    serve.child.wait().expect("an end");
    serve = Serve::working(cluster.running());
    for world in &worlds {
        world.address.lock().expect("no panic").clone_from(&serve.address);
    }
    sleep(LONG / 3).await;
    let before_the_restart = done();
    cluster.stop().await;
    cluster.start().await;
    sleep(LONG.saturating_sub(began.elapsed())).await;
    for world in &worlds {
        world.stop.store(true, Ordering::Relaxed);
    }
    for client in clients {
        client.await.expect("no client saw a mistake of ours");
    }
    // It did go on each time.
    assert!(before_the_kill > 50, "{before_the_kill}");
    assert!(before_the_restart > before_the_kill + 50 && done() > before_the_restart + 20);
    let superuser = connect(cluster.running(), "postgres", "appointd").await;
    let kinds: i64 = superuser
        .query_one("select count(distinct action) from scheduling.appointment_transitions", &[])
        .await
        .expect("a count")
        .get(0);
    assert!(kinds >= 7, "{kinds} kinds of transitions");
    let rows =
        superuser.query(include_str!("../../../../sql/audit/bookings.sql"), &[]).await.expect("an audit");
    let findings: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row.get::<_, &str>(0), row.get::<_, uuid::Uuid>(2))).collect();
    assert_eq!(findings, Vec::<String>::new());
    let waiting = "select from messaging.outbox limit 1";
    eventually(async || superuser.query_opt(waiting, &[]).await.expect("an answer").is_none().then_some(()))
        .await;
    let unlike = superuser.query(UNLIKE, &[]).await.expect("an answer");
    let unlike: Vec<String> =
        unlike.iter().map(|row| format!("{}: {}", row.get::<_, &str>(0), row.get::<_, &str>(1))).collect();
    assert_eq!(unlike, Vec::<String>::new());
    drop(serve);
}
