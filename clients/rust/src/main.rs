//! What a program does with the generated client, from registering to an API key. Every step asserts.
//! Needs `APPOINTD_URL` and `APPOINTD_MAIL`, the folder in which the server writes e-mails.

mod client;

use std::{env, error, fmt::Debug, fs, num::NonZero, time::Duration};

use chrono::{Days, Utc};
use client::{Client, Error, ResponseValue, types};
use futures_util::TryStreamExt as _;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;
type Answer<T> = std::result::Result<ResponseValue<T>, Error<types::Problem>>;

/// The body of an answer with this status; any other status fails.
fn expect<T>(status: u16, answer: Answer<T>) -> Result<T> {
    let answer = answer?;
    assert_eq!(answer.status().as_u16(), status);
    Ok(answer.into_inner())
}

/// The problem of a refusal with this status.
fn refused<T: Debug>(status: u16, answer: Answer<T>) -> types::Problem {
    let Err(Error::ErrorResponse(response)) = answer else {
        panic!("expected a problem, not {answer:?}");
    };
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["x-request-id"], *response.request_id);
    response.into_inner()
}

fn signed_in(url: &str, token: &str) -> Result<Client> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
    let client = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(url, client))
}

/// The token of the link in the one e-mail to this address: the server writes it after it has answered.
async fn mailed_token(to: &str) -> Result<String> {
    for _ in 0..100 {
        for file in fs::read_dir(env::var("APPOINTD_MAIL")?)? {
            let file = file?.path();
            if file.extension().is_none_or(|extension| extension != "eml") {
                continue;
            }
            let mail = fs::read_to_string(file)?;
            if mail.contains(&format!("To: {to}")) {
                let token = mail.split_once("#token=").and_then(|(_, rest)| rest.split_whitespace().next());
                return Ok(token.ok_or("no token in the e-mail")?.to_owned());
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("no e-mail to {to}").into())
}

fn day(offset: u64) -> String {
    (Utc::now().date_naive() + Days::new(offset)).to_string()
}

fn done(steps: &mut u32, step: &str) {
    *steps += 1;
    println!("ok {steps} {step}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = env::var("APPOINTD_URL")?;
    let run = Uuid::new_v4().simple().to_string();
    let run = &run[..12];
    let mut steps = 0;

    let email = format!("owner-{run}@example.com");
    let slug = format!("rust-{run}");
    let password = "three small brass kettles";
    let anonymous = Client::new(&url);
    let call = anonymous.register_account().body_map(|body| {
        body.email(&*email)
            .password(password)
            .organization_name("Kettle Repairs")
            .organization_slug(&*slug)
            .time_zone("Europe/Berlin".to_owned())
    });
    let registered = expect(201, call.send().await)?;
    assert_eq!(registered.token_type, "bearer");
    let owner = signed_in(&url, &registered.access_token)?;
    let token = mailed_token(&email).await?;
    expect(204, owner.verify_email().body_map(|body| body.token(token)).send().await)?;
    let call = anonymous.log_in().body_map(|body| body.email(&*email).password(password));
    let session = expect(200, call.send().await)?;
    let owner = signed_in(&url, &session.access_token)?;
    assert_eq!(expect(200, owner.get_me().send().await)?.email, email);
    done(&mut steps, "register, verify the e-mail address, log in");

    let call = owner.create_provider().body_map(|body| body.name("Grace Hopper"));
    let provider = expect(201, call.send().await)?;
    assert!(provider.active);
    done(&mut steps, "create a provider");

    let weekdays = [
        types::Weekday::Monday,
        types::Weekday::Tuesday,
        types::Weekday::Wednesday,
        types::Weekday::Thursday,
        types::Weekday::Friday,
        types::Weekday::Saturday,
        types::Weekday::Sunday,
    ];
    let rules = weekdays
        .map(|weekday| types::ScheduleRule::builder().weekday(weekday).from("09:00").to("17:00").try_into())
        .into_iter()
        .collect::<std::result::Result<Vec<types::ScheduleRule>, _>>()?;
    let call = owner
        .set_schedule()
        .provider_id(provider.id)
        .body_map(|body| body.time_zone("Europe/Berlin").rules(rules));
    assert_eq!(expect(200, call.send().await)?.rules.len(), 7);
    done(&mut steps, "set the schedule");

    let description = types::NewServiceDescription::try_from("Bring the kettle.")?;
    let call = owner.create_service().body_map(|body| {
        body.name("Descaling")
            .description(description)
            .duration_minutes(30)
            .slot_step_minutes(NonZero::new(30))
            .max_per_day(NonZero::new(20))
            .bookable_online(true)
    });
    let service = expect(201, call.send().await)?;
    assert_eq!(service.max_per_day, Some(20));
    done(&mut steps, "create a service");

    let call = owner.list_slots().service_id(service.id).from(day(2)).to(day(4));
    let slots = expect(200, call.send().await)?;
    assert_eq!(slots.time_zone, "Europe/Berlin");
    assert_eq!(slots.items.len(), 32);
    assert_eq!(slots.items[0].provider_ids, [provider.id]);
    done(&mut steps, "list slots");

    let taken = slots.items[0].starts_at;
    let ada = format!("ada-{run}@example.com");
    let contact: types::NewContact = types::NewContact::builder()
        .first_name("Ada")
        .last_name("Lovelace")
        .email(types::NewContactEmail::try_from(&*ada)?)
        .phone(types::NewContactPhone::try_from("+1 555 0100")?)
        .try_into()?;
    let call = owner
        .create_appointment()
        .idempotency_key(format!("book-{run}"))
        .body_map(|body| body.service_id(service.id).starts_at(taken).contact(contact));
    let appointment = expect(201, call.send().await)?;
    assert_eq!(appointment.status, types::AppointmentStatus::Confirmed);
    assert_eq!(appointment.starts_at, taken);
    done(&mut steps, "book");

    let contact: types::NewContact =
        types::NewContact::builder().first_name("Alan").last_name("Turing").try_into()?;
    let call = owner
        .create_appointment()
        .body_map(|body| body.service_id(service.id).starts_at(taken).contact(contact));
    let conflict = refused(409, call.send().await);
    assert_eq!(conflict.code.as_str(), "slot_unavailable");
    assert_eq!(conflict.errors[0].field, "starts_at");
    assert_eq!(conflict.alternatives.len(), 3);
    assert_eq!(conflict.alternatives[0].provider_ids, [provider.id]);
    assert!(conflict.alternatives[0].starts_at > taken);
    done(&mut steps, "the second booking is a typed 409 with alternatives");

    for last_name in ["Hopper", "Turing", "Johnson", "Dijkstra"] {
        let call = owner.create_contact().body_map(|body| body.first_name("Someone").last_name(last_name));
        expect(201, call.send().await)?;
    }
    let mut names = Vec::new();
    let mut cursor = None;
    loop {
        let mut call = owner.list_contacts().limit(2);
        if let Some(cursor) = cursor {
            call = call.cursor::<String>(cursor);
        }
        let page = expect(200, call.send().await)?;
        assert!(page.items.len() <= 2);
        names.extend(page.items.into_iter().map(|contact| contact.last_name));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names, ["Lovelace", "Hopper", "Turing", "Johnson", "Dijkstra"]);
    done(&mut steps, "page through a list");

    let call = owner.create_task().body_map(|body| body.title("Order towels"));
    let task = expect(201, call.send().await)?;
    let call = owner.move_task().task_id(task.id).body_map(|body| body.status(types::TaskStatus::InProgress));
    let begun = expect(200, call.send().await)?;
    assert_eq!(begun.status, types::TaskStatus::InProgress);
    let tasks = expect(200, owner.list_tasks().page(1).send().await)?;
    assert_eq!((tasks.total, tasks.items[0].id), (Some(1), task.id));
    done(&mut steps, "create a task and move it on the board");

    let last_name = types::ContactChangesLastName::try_from("King")?;
    let call = owner
        .update_contact()
        .contact_id(appointment.contact_id)
        .body_map(|body| body.last_name(last_name).phone(types::ContactChangesPhone(None)));
    let renamed = expect(200, call.send().await)?;
    assert_eq!(renamed.last_name, "King");
    assert_eq!(renamed.phone, None);
    assert_eq!(renamed.email.as_deref(), Some(&*ada));
    let call = owner
        .update_service()
        .service_id(service.id)
        .body_map(|body| body.max_per_day(types::ServiceChangesMaxPerDay(None)));
    let unlimited = expect(200, call.send().await)?;
    assert_eq!(unlimited.max_per_day, None);
    assert_eq!(unlimited.description.as_deref(), Some("Bring the kettle."));
    done(&mut steps, "PATCH: null clears, absent leaves");

    let call =
        owner.create_hold().body_map(|body| body.service_id(service.id).starts_at(slots.items[1].starts_at));
    let hold = expect(201, call.send().await)?;
    let call = owner.confirm_hold().hold_id(hold.id).body_map(|body| body.contact_id(appointment.contact_id));
    let confirmed = expect(201, call.send().await)?;
    assert_eq!(confirmed.id, hold.id);
    assert_eq!(confirmed.status, types::AppointmentStatus::Confirmed);
    done(&mut steps, "hold and confirm");

    let call = owner
        .reschedule_appointment()
        .appointment_id(confirmed.id)
        .body_map(|body| body.starts_at(slots.items[4].starts_at));
    let moved = expect(200, call.send().await)?;
    assert_eq!(moved.id, confirmed.id);
    assert_eq!(moved.starts_at, slots.items[4].starts_at);
    done(&mut steps, "reschedule");

    let reason = types::CancellationReason::try_from("The kettle works.")?;
    let call = owner.cancel_appointment().appointment_id(confirmed.id).body_map(|body| body.reason(reason));
    let cancelled = expect(200, call.send().await)?;
    assert_eq!(cancelled.status, types::AppointmentStatus::Cancelled);
    assert_eq!(cancelled.cancellation_reason.as_deref(), Some("The kettle works."));
    done(&mut steps, "cancel");

    let online = expect(200, anonymous.list_online_services().organization_slug(&*slug).send().await)?;
    assert_eq!(online.items.iter().map(|item| item.id).collect::<Vec<_>>(), [service.id]);
    let call = anonymous
        .list_online_slots()
        .service_id(service.id)
        .organization_slug(&*slug)
        .from(day(3))
        .to(day(4));
    let guest_slots = expect(200, call.send().await)?;
    let contact: types::NewContact = types::NewContact::builder()
        .first_name("Radia")
        .last_name("Perlman")
        .email(types::NewContactEmail::try_from(format!("radia-{run}@example.com"))?)
        .try_into()?;
    let call = anonymous.book_as_guest().organization_slug(&*slug).body_map(|body| {
        body.service_id(service.id).starts_at(guest_slots.items[0].starts_at).contact(contact)
    });
    let types::BookAsGuestAnswer::GuestAppointment(booked) = expect(201, call.send().await)? else {
        panic!("this service verifies no guests");
    };
    let call = anonymous.view_as_guest().body_map(|body| body.token(&booked.manage_token));
    assert_eq!(expect(200, call.send().await)?.id, booked.id);
    let call = anonymous.cancel_as_guest().body_map(|body| body.token(&booked.manage_token));
    assert_eq!(expect(200, call.send().await)?.status, types::AppointmentStatus::Cancelled);
    done(&mut steps, "a guest books, looks and cancels");

    let call = owner.create_invitation().body_map(|body| {
        body.email(&*ada).role(types::InvitedRole::Customer).contact_id(appointment.contact_id)
    });
    assert_eq!(expect(201, call.send().await)?.role, types::InvitedRole::Customer);
    let token = mailed_token(&ada).await?;
    let offer =
        expect(200, anonymous.look_at_invitation().body_map(|body| body.token(&*token)).send().await)?;
    assert!(!offer.account_exists);
    let call =
        anonymous.register_invited().body_map(|body| body.token(&*token).password("four large copper pans"));
    let customer = signed_in(&url, &expect(201, call.send().await)?.access_token)?;
    let call = customer.list_my_slots().service_id(service.id).from(day(3)).to(day(4));
    let my_slots = expect(200, call.send().await)?;
    let call = customer
        .book_my_appointment()
        .body_map(|body| body.service_id(service.id).starts_at(my_slots.items[0].starts_at));
    let my_booking = expect(201, call.send().await)?;
    let mine = expect(200, customer.list_my_appointments().send().await)?;
    assert!(mine.items.iter().any(|item| item.id == my_booking.id));
    done(&mut steps, "a customer registers by invitation and books");

    let call = owner.create_calendar_feed().body_map(|body| body.name("Workshop"));
    let path = expect(201, call.send().await)?.path.ok_or("no path")?;
    let (_, secret) = path.split_once("token=").ok_or("no token")?;
    let calendar = anonymous.read_calendar_feed().token(secret).send().await?.into_inner_stream();
    let calendar = calendar.try_fold(Vec::new(), |mut all, part| async move {
        all.extend_from_slice(&part);
        Ok(all)
    });
    let calendar = String::from_utf8(calendar.await?)?;
    assert!(calendar.starts_with("BEGIN:VCALENDAR\r\n"));
    assert!(calendar.contains(&appointment.id.to_string()));
    done(&mut steps, "a calendar feed");

    let call = anonymous.refresh_tokens().body_map(|body| body.refresh_token(&*session.refresh_token));
    let refreshed = expect(200, call.send().await)?;
    assert_ne!(refreshed.refresh_token, session.refresh_token);
    let owner = signed_in(&url, &refreshed.access_token)?;
    assert_eq!(expect(200, owner.get_me().send().await)?.email, email);
    done(&mut steps, "refresh");

    let enterprise = types::SubscriptionChangesPlanType::try_from("enterprise")?;
    let call = owner.update_subscription().body_map(|body| body.plan_type(enterprise));
    assert!(expect(200, call.send().await)?.features.api_access);
    let call = owner.create_api_key().body_map(|body| {
        body.name("Reader").role(types::KeyRole::Viewer).scopes(vec![types::Scope::SchedulingRead])
    });
    let key = expect(201, call.send().await)?.key.ok_or("no key")?;
    let program = signed_in(&url, &key)?;
    let listed = expect(200, program.list_services().send().await)?;
    assert_eq!(listed.items.iter().map(|item| item.id).collect::<Vec<_>>(), [service.id]);
    let call = program.create_provider().body_map(|body| body.name("Nobody"));
    let forbidden = refused(403, call.send().await);
    assert!(["role_too_low", "scope_missing"].contains(&forbidden.code.as_str()));
    done(&mut steps, "an API key");

    println!("rust: {steps} steps");
    Ok(())
}
