//! Services, providers, hours, slots and appointments. Six submodules, each of which imports only those before it:
//! [`hours`] (wall time to instants), [`slots`] (which starts can be booked), [`booking`] (appointments, holds,
//! waitlist), [`catalog`] (services, providers, resources), [`customers`] (guests, customers, calendars), [`notices`]
//! (messages about appointments).

pub mod booking;
pub mod catalog;
pub mod codes;
pub mod customers;
pub mod events;
pub mod features;
pub mod hours;
pub mod notices;
pub mod slots;

use std::sync::Arc;

use poem_openapi::{OpenApi, registry::Registry};

use booking::{
    appointment::AllowedActions, appointments::AppointmentsApi, bulk::BulkApi, holds::HoldsApi,
    series::SeriesApi, staff_calendar::StaffCalendarApi, transitions::TransitionsApi, waitlist::WaitlistApi,
};
use catalog::{
    provider_links::ProviderLinksApi, providers::ProvidersApi, resources::ResourcesApi, services::ServicesApi,
};
use customers::{
    calendar_feeds::CalendarFeedsApi, guest_access::Guests, guest_appointments::GuestAppointmentsApi,
    guest_holds::GuestHoldsApi, guest_slots::GuestSlotsApi, guest_stream::GuestStreamApi,
    guest_verification::GuestVerificationApi, guest_waitlist::GuestWaitlistApi,
    my_appointments::MyAppointmentsApi, my_holds::MyHoldsApi, my_slots::MySlotsApi,
    my_waitlist::MyWaitlistApi,
};
use hours::{closures::ClosuresApi, schedules::SchedulesApi, time_off::TimeOffApi};
use slots::{alternatives::Alternatives, days::SlotDaysApi, earliest::EarliestApi, listing::SlotsApi};

use crate::{
    db::{Db, FrontDoor},
    http::{
        captcha::Captcha,
        module::{Apis, Module, Tag},
        problem::{self, FieldCode, ProblemCode},
        token::Tokens,
    },
    messaging::{live::Live, mail::Mailer},
};

/// What this module is.
pub enum Scheduling {}

impl Module for Scheduling {
    const NAME: &str = "scheduling";
    const TAGS: &[Tag] = &[
        Tag {
            name: "Services",
            about: "What can be booked: duration, price and rules.",
            paths: &["/services"],
        },
        Tag {
            name: "Providers",
            about: "The people who can be booked.",
            paths: &["/providers", "/auth/me/provider-links"],
        },
        Tag {
            name: "Resources",
            about: "The rooms and pieces of equipment that services take.",
            paths: &["/resources"],
        },
        Tag {
            name: "Schedules",
            about: "The working hours of providers.",
            paths: &["/providers/{provider_id}/schedule"],
        },
        Tag {
            name: "Closures",
            about: "The days on which an organization is closed.",
            paths: &["/closures"],
        },
        Tag {
            name: "Time off",
            about: "When a provider is away.",
            paths: &["/providers/{provider_id}/time-off", "/time-off"],
        },
        Tag {
            name: "Slots",
            about: "The starts that can be booked.",
            paths: &["/services/{service_id}/slots", "/availability"],
        },
        Tag {
            name: "Appointments",
            about: "Booking, moving, cancelling; checking in, completing; the calendar of the staff.",
            paths: &["/appointments", "/calendar", "/providers/{provider_id}/appointments"],
        },
        Tag { name: "Series", about: "Recurring appointments.", paths: &["/appointment-series"] },
        Tag {
            name: "Holds",
            about: "Time that is kept free for some minutes before it is booked.",
            paths: &["/holds"],
        },
        Tag { name: "Waitlist", about: "Waiting for time that becomes free.", paths: &["/waitlist"] },
        Tag {
            name: "Calendars",
            about: "Appointments for calendar programs, as iCalendar.",
            paths: &["/calendar-feeds", "/calendar.ics", "/appointments/{appointment_id}/calendar.ics"],
        },
        Tag {
            name: "Guest booking",
            about: "For the booking page of an organization: booking without an account.",
            paths: &["/guest"],
        },
        Tag {
            name: "Guest holds",
            about: "Holds of people without an account.",
            paths: &["/guest/hold", "/guest/holds"],
        },
        Tag {
            name: "Guest waitlist",
            about: "The waitlist for people without an account.",
            paths: &["/guest/waitlist", "/guest/waitlist-entry"],
        },
        Tag {
            name: "My appointments",
            about: "For customers with an account: booking, and their appointments.",
            paths: &["/my"],
        },
        Tag { name: "My holds", about: "Holds of customers with an account.", paths: &["/my/holds"] },
        Tag {
            name: "My waitlist",
            about: "The waitlist for customers with an account.",
            paths: &["/my/waitlist"],
        },
    ];
    const DELETED: &[&str] =
        &["service", "provider", "resource", "closure", "time_off", "waitlist_entry", "calendar_feed"];
    const PROBLEMS: &[ProblemCode] = codes::PROBLEMS;
    const FIELDS: &[FieldCode] = codes::FIELDS;

    fn document_problems(registry: &mut Registry) {
        problem::document::<Alternatives>(registry);
        problem::document::<AllowedActions>(registry);
    }
}

pub fn apis(
    db: Db,
    door: FrontDoor,
    tokens: Arc<Tokens>,
    mailer: Mailer,
    captcha: Captcha,
    live: Arc<Live>,
) -> Apis<Scheduling, impl OpenApi> {
    let staff = (
        ServicesApi { db: db.clone(), mailer: mailer.clone() },
        ProvidersApi { db: db.clone(), mailer: mailer.clone() },
        ProviderLinksApi(db.clone()),
        ResourcesApi { db: db.clone(), mailer: mailer.clone() },
        SchedulesApi(db.clone()),
        ClosuresApi(db.clone()),
        TimeOffApi(db.clone()),
        (SlotsApi(db.clone()), SlotDaysApi(db.clone()), EarliestApi(db.clone())),
        StaffCalendarApi(db.clone()),
        AppointmentsApi { db: db.clone(), mailer: mailer.clone() },
        (
            TransitionsApi { db: db.clone(), mailer: mailer.clone() },
            BulkApi { db: db.clone(), mailer: mailer.clone() },
        ),
        SeriesApi { db: db.clone(), mailer: mailer.clone() },
        HoldsApi { db: db.clone(), mailer: mailer.clone() },
        WaitlistApi { db: db.clone(), mailer: mailer.clone() },
        CalendarFeedsApi { db: db.clone(), door: door.clone() },
    );
    let guests = Guests { db: db.clone(), door, tokens, mailer: mailer.clone(), captcha };
    let customers = (
        GuestAppointmentsApi(guests.clone()),
        GuestSlotsApi(guests.clone()),
        GuestHoldsApi(guests.clone()),
        GuestWaitlistApi(guests.clone()),
        GuestStreamApi { guests: guests.clone(), live },
        GuestVerificationApi(guests),
        MyAppointmentsApi { db: db.clone(), mailer: mailer.clone() },
        MySlotsApi(db.clone()),
        MyHoldsApi { db: db.clone(), mailer: mailer.clone() },
        MyWaitlistApi { db, mailer },
    );
    Apis::new((staff, customers))
}
