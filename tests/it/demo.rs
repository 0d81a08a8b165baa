//! The demo data: what the product can, and nothing that must not be.

use appointd::{demo::DEMOS, identity::passwords::Policy};
use chrono::Utc;

use crate::harness::{load_demo, private_database};

/// What the demo promises, each as a query that is true where it is kept.
const PROMISES: [(&str, &str); 15] = [
    (
        "past appointments of each kind, and none that stands as if nobody had come",
        "select array_agg(distinct status order by status) @> array['cancelled', 'completed', 'no_show']
             and not array_agg(distinct status) && array['pending', 'confirmed', 'declined']
         from scheduling.appointments where starts_at < now() - interval '1 minute'",
    ),
    (
        "each organization has past and coming appointments",
        "select count(*) = 3 from (
             select tenant_id from scheduling.appointments group by tenant_id
             having count(*) filter (where ends_at < now()) > 20 and count(*) filter (where starts_at > now()) > 20
         ) as busy",
    ),
    (
        "coming appointments are confirmed, or pending where a service requires approval",
        "select bool_and(a.status = case when s.requires_approval then 'pending' else 'confirmed' end)
         from scheduling.appointments a join scheduling.services s on s.id = a.service_id where a.starts_at > now()",
    ),
    (
        "a pending appointment in two organizations",
        "select count(distinct tenant_id) = 2 from scheduling.appointments where status = 'pending'",
    ),
    (
        "steps are noted at the time they were taken",
        "select count(*) > 100 and bool_and(t.occurred_at <= now()) from scheduling.appointment_transitions t",
    ),
    (
        "a cancellation precedes the start",
        "select bool_and(cancelled_at < starts_at) from scheduling.appointments where status = 'cancelled'",
    ),
    (
        "each organization has tasks in every column, one that repeats, and a checklist",
        "select count(*) = 3 and bool_and(columns = 3 and repeating > 0 and steps > 0) from (
             select
                 t.tenant_id, count(distinct t.status) as columns, count(t.repeat_frequency) as repeating,
                 count(i.id) as steps
             from work.tasks t
             left join work.checklist_items i on i.tenant_id = t.tenant_id and i.task_id = t.id
             group by t.tenant_id
         ) as boards",
    ),
    (
        "prices",
        "select count(*) > 5 from scheduling.services where price_amount > 0 and price_currency is not null",
    ),
    (
        "rooms and equipment that coming appointments take",
        "select array_agg(distinct r.kind order by r.kind) = array['equipment', 'room']
         from scheduling.claims c join scheduling.resources r on r.id = c.resource_id
         where c.starts_at > now() and r.kind in ('room', 'equipment')",
    ),
    (
        "a group session that is full, one with free seats, and one that was given",
        "select array_agg(seats order by starts_at) = array[5, 3, 6]
         from (
             select a.starts_at, count(*)::int as seats from scheduling.appointments a
             join scheduling.services s on s.id = a.service_id
             where s.capacity = 6 group by a.starts_at
         ) as sessions",
    ),
    (
        "a contact that waits for a seat of the full one",
        "select count(*) = 1 and bool_and(w.status = 'waiting' and w.from_instant > now())
         from scheduling.waitlist_entries w",
    ),
    (
        "a person whom two organizations book, and never both at once",
        "select count(distinct tenant_id) = 2 and count(distinct account_id) = 1 from scheduling.shared_claims",
    ),
    (
        "a contact that is a customer with an account, and has an appointment to come",
        "select count(*) > 0 from crm.contacts c join scheduling.appointments a on a.contact_id = c.id
         where c.account_id = (select id from identity.accounts where email = 'ada.lovelace@example.com')
             and a.starts_at > now()",
    ),
    (
        "time off in the coming days, in which nothing is booked",
        "select count(*) = 1 and bool_and(t.starts_at > now() - interval '1 day' and not exists (
             select from scheduling.appointments a
             where a.provider_id = t.provider_id and a.starts_at < t.ends_at and a.ends_at > t.starts_at
         ))
         from scheduling.time_off t",
    ),
    (
        "a closure in the coming weeks, on which nothing is booked",
        "select count(*) = 2 and bool_and(c.starts_on > current_date and not exists (
             select from scheduling.appointments a join tenancy.organizations o on o.id = a.tenant_id
             where a.tenant_id = c.tenant_id and (a.starts_at at time zone o.time_zone)::date = c.starts_on
         ))
         from scheduling.closures c",
    ),
];

#[tokio::test]
async fn demo_data_shows_what_it_promises_and_breaks_no_rule() {
    let (cluster, superuser) = private_database().await;
    load_demo(&cluster, Utc::now()).await;
    for (promise, query) in PROMISES {
        let kept: Option<bool> = superuser.query_one(query, &[]).await.expect(promise).get(0);
        assert_eq!(kept, Some(true), "{promise}");
    }
    let broken = superuser.query(include_str!("../../sql/audit/bookings.sql"), &[]).await.expect("a look");
    let broken: Vec<String> = broken.iter().map(|row| row.get(0)).collect();
    assert_eq!(broken, Vec::<String>::new());
}

#[tokio::test]
#[ignore = "loads the demo data of nine days"]
async fn demo_data_is_loaded_on_every_day_of_a_week_and_when_clocks_change() {
    let (cluster, superuser) = private_database().await;
    for day in
        ["2027-03-14T06:59:00Z", "2027-10-31T00:59:00Z", "2028-02-29T23:59:59Z", "2027-01-02T12:00:00Z"]
    {
        load_demo(&cluster, day.parse().expect("an instant")).await;
        let sessions: i64 = superuser
            .query_one(
                "select count(distinct a.starts_at) from scheduling.appointments a
                 join scheduling.services s on s.id = a.service_id where s.capacity = 6",
                &[],
            )
            .await
            .expect("a count")
            .get(0);
        assert_eq!(sessions, 3, "{day}");
        superuser
            .batch_execute(
                "truncate tenancy.organizations, identity.accounts, messaging.mail_budgets cascade",
            )
            .await
            .expect("nothing is left");
    }
}

#[test]
fn passwords_of_the_demo_follow_the_rule_that_is_printed_beside_them() {
    for person in DEMOS.iter().flat_map(|demo| demo.sign_ins) {
        let shortest = Policy::Development.shortest();
        assert!(person.password.chars().count() >= shortest, "{}", person.email);
    }
}
