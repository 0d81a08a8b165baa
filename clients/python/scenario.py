"""What a program does with the generated client, from registering to an API key. Every step asserts.

Needs APPOINTD_URL and APPOINTD_MAIL, the folder in which the server writes e-mails.
"""

import os
import re
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from appointd_client import AuthenticatedClient, Client
from appointd_client.api.account import get_me, register_account
from appointd_client.api.api_keys import create_api_key
from appointd_client.api.appointments import cancel_appointment, create_appointment, reschedule_appointment
from appointd_client.api.calendars import create_calendar_feed, read_calendar_feed
from appointd_client.api.contacts import create_contact, list_contacts, update_contact
from appointd_client.api.guest_booking import (
    book_as_guest,
    cancel_as_guest,
    list_online_services,
    list_online_slots,
    view_as_guest,
)
from appointd_client.api.holds import confirm_hold, create_hold
from appointd_client.api.invitations import create_invitation, look_at_invitation, register_invited
from appointd_client.api.my_appointments import book_my_appointment, list_my_appointments, list_my_slots
from appointd_client.api.passwords_and_e_mail import verify_email
from appointd_client.api.plans import update_subscription
from appointd_client.api.providers import create_provider
from appointd_client.api.schedules import set_schedule
from appointd_client.api.services import create_service, list_services, update_service
from appointd_client.api.sign_in import log_in, refresh_tokens
from appointd_client.api.slots import list_slots
from appointd_client.api.tasks import create_task, list_tasks, move_task
from appointd_client.api.webhooks import create_webhook_endpoint, send_test_webhook
from appointd_client.models import (
    AppointmentStatus,
    Cancellation,
    ContactChanges,
    Credentials,
    EmailVerification,
    GuestAppointment,
    GuestBooking,
    GuestCancellation,
    HoldConfirmation,
    InvitationToken,
    InvitedRegistration,
    InvitedRole,
    KeyRole,
    GuestToken,
    MyBooking,
    NewApiKey,
    NewAppointment,
    NewCalendarFeed,
    NewContact,
    NewHold,
    NewInvitation,
    NewProvider,
    NewService,
    NewTask,
    NewWebhookEndpoint,
    Problem,
    RefreshRequest,
    Registration,
    Reschedule,
    Schedule,
    ScheduleRule,
    Scope,
    ServiceChanges,
    SubscriptionChanges,
    TaskMove,
    TaskStatus,
    Weekday,
)
from appointd_client.types import UNSET, Response
from standardwebhooks import Webhook, WebhookVerificationError

URL = os.environ["APPOINTD_URL"]
MAILS = Path(os.environ["APPOINTD_MAIL"])
RUN = secrets.token_hex(6)
T = TypeVar("T")
steps = 0


def signed_in(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=URL, token=token, raise_on_unexpected_status=True)


def expect(status: int, answer: Response[T | Problem]) -> T:
    """The body of an answer with this status; any other status fails."""
    assert answer.status_code == status, answer.content
    assert not isinstance(answer.parsed, Problem)
    return answer.parsed


def refused(status: int, answer: Response[T | Problem]) -> Problem:
    """The problem of a refusal with this status."""
    assert answer.status_code == status, answer.content
    problem = answer.parsed
    assert isinstance(problem, Problem)
    assert problem.status == status
    assert problem.request_id == answer.headers["x-request-id"]
    return problem


def mailed_token(to: str) -> str:
    """The token of the link in the one e-mail to this address: the server writes it after it has answered."""
    for _ in range(100):
        for file in MAILS.glob("*.eml"):
            mail = file.read_text()
            token = re.search(r"#token=(\S+)", mail)
            if f"To: {to}" in mail and token:
                return token[1]
        time.sleep(0.1)
    raise AssertionError(f"no e-mail to {to}")


def done(step: str) -> None:
    global steps
    steps += 1
    print(f"ok {steps} {step}", flush=True)


def day(offset: int) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).date().isoformat()


email = f"owner-{RUN}@example.com"
slug = f"python-{RUN}"
anonymous = Client(base_url=URL, raise_on_unexpected_status=True)
registration = Registration(
    email=email,
    password="three small brass kettles",
    organization_name="Kettle Repairs",
    organization_slug=slug,
    time_zone="Europe/Berlin",
)
registered = expect(201, register_account.sync_detailed(client=anonymous, body=registration))
assert registered.token_type == "bearer"
owner = signed_in(registered.access_token)
expect(204, verify_email.sync_detailed(client=owner, body=EmailVerification(token=mailed_token(email))))
credentials = Credentials(email=email, password="three small brass kettles")
session = expect(200, log_in.sync_detailed(client=anonymous, body=credentials))
owner = signed_in(session.access_token)
assert expect(200, get_me.sync_detailed(client=owner)).email == email
done("register, verify the e-mail address, log in")

provider = expect(201, create_provider.sync_detailed(client=owner, body=NewProvider(name="Grace Hopper")))
assert provider.active is True
done("create a provider")

schedule = Schedule(
    time_zone="Europe/Berlin",
    rules=[ScheduleRule(weekday=weekday, from_="09:00", to="17:00") for weekday in Weekday],
)
assert len(expect(200, set_schedule.sync_detailed(provider.id, client=owner, body=schedule)).rules) == 7
done("set the schedule")

new_service = NewService(
    name="Descaling",
    description="Bring the kettle.",
    duration_minutes=30,
    slot_step_minutes=30,
    max_per_day=20,
    bookable_online=True,
)
service = expect(201, create_service.sync_detailed(client=owner, body=new_service))
assert service.max_per_day == 20
done("create a service")

slots = expect(200, list_slots.sync_detailed(service.id, client=owner, from_=day(2), to=day(4)))
assert slots.time_zone == "Europe/Berlin"
assert len(slots.items) == 32
assert slots.items[0].provider_ids == [provider.id]
done("list slots")

taken = slots.items[0].starts_at
booking = NewAppointment(
    service_id=service.id,
    starts_at=taken,
    contact=NewContact(
        first_name="Ada", last_name="Lovelace", email=f"ada-{RUN}@example.com", phone="+1 555 0100"
    ),
)
appointment = expect(
    201, create_appointment.sync_detailed(client=owner, body=booking, idempotency_key=f"book-{RUN}")
)
assert appointment.status == AppointmentStatus.CONFIRMED
assert appointment.starts_at == taken
done("book")

booking = NewAppointment(
    service_id=service.id, starts_at=taken, contact=NewContact(first_name="Alan", last_name="Turing")
)
conflict = refused(409, create_appointment.sync_detailed(client=owner, body=booking))
assert conflict.code == "slot_unavailable"
assert conflict.errors and conflict.errors[0].field == "starts_at"
assert conflict.alternatives and len(conflict.alternatives) == 3
assert conflict.alternatives[0].provider_ids == [provider.id]
assert conflict.alternatives[0].starts_at > taken
done("the second booking is a typed 409 with alternatives")

for last_name in ["Hopper", "Turing", "Johnson", "Dijkstra"]:
    contact = NewContact(first_name="Someone", last_name=last_name)
    expect(201, create_contact.sync_detailed(client=owner, body=contact))
names = []
cursor = UNSET
while True:
    page = expect(200, list_contacts.sync_detailed(client=owner, limit=2, cursor=cursor))
    assert len(page.items) <= 2
    names += [contact.last_name for contact in page.items]
    cursor = page.next_cursor
    if not cursor:
        break
assert names == ["Lovelace", "Hopper", "Turing", "Johnson", "Dijkstra"]
done("page through a list")

task = expect(
    201, create_task.sync_detailed(client=owner, body=NewTask(title="Order towels", tags=["supplies"]))
)
to_progress = TaskMove(status=TaskStatus.IN_PROGRESS)
begun = expect(200, move_task.sync_detailed(task.id, client=owner, body=to_progress))
assert begun.status == TaskStatus.IN_PROGRESS
tasks = expect(200, list_tasks.sync_detailed(client=owner, tag="supplies", page=1))
assert (tasks.total, tasks.items[0].id) == (1, task.id)
done("create a task and move it on the board")

changes = ContactChanges(last_name="King", phone=None)
renamed = expect(200, update_contact.sync_detailed(appointment.contact_id, client=owner, body=changes))
assert renamed.last_name == "King"
assert renamed.phone is UNSET
assert renamed.email == f"ada-{RUN}@example.com"
unlimited = expect(
    200, update_service.sync_detailed(service.id, client=owner, body=ServiceChanges(max_per_day=None))
)
assert unlimited.max_per_day is UNSET
assert unlimited.description == "Bring the kettle."
done("PATCH: null clears, absent leaves")

new_hold = NewHold(service_id=service.id, starts_at=slots.items[1].starts_at)
hold = expect(201, create_hold.sync_detailed(client=owner, body=new_hold))
confirmed = expect(
    201,
    confirm_hold.sync_detailed(
        hold.id, client=owner, body=HoldConfirmation(contact_id=appointment.contact_id)
    ),
)
assert confirmed.id == hold.id
assert confirmed.status == AppointmentStatus.CONFIRMED
done("hold and confirm")

move = Reschedule(starts_at=slots.items[4].starts_at)
moved = expect(200, reschedule_appointment.sync_detailed(confirmed.id, client=owner, body=move))
assert moved.id == confirmed.id
assert moved.starts_at == slots.items[4].starts_at
done("reschedule")

cancellation = Cancellation(reason="The kettle works.")
cancelled = expect(200, cancel_appointment.sync_detailed(confirmed.id, client=owner, body=cancellation))
assert cancelled.status == AppointmentStatus.CANCELLED
assert cancelled.cancellation_reason == "The kettle works."
done("cancel")

online = expect(200, list_online_services.sync_detailed(client=anonymous, organization_slug=slug))
assert [item.id for item in online.items] == [service.id]
guest_slots = expect(
    200,
    list_online_slots.sync_detailed(
        service.id, client=anonymous, organization_slug=slug, from_=day(3), to=day(4)
    ),
)
guest_booking = GuestBooking(
    service_id=service.id,
    starts_at=guest_slots.items[0].starts_at,
    contact=NewContact(first_name="Radia", last_name="Perlman", email=f"radia-{RUN}@example.com"),
)
booked = expect(
    201, book_as_guest.sync_detailed(client=anonymous, organization_slug=slug, body=guest_booking)
)
assert isinstance(booked, GuestAppointment)
seen = expect(200, view_as_guest.sync_detailed(client=anonymous, body=GuestToken(token=booked.manage_token)))
assert seen.id == booked.id
guest_cancellation = GuestCancellation(token=booked.manage_token)
guest_cancelled = expect(200, cancel_as_guest.sync_detailed(client=anonymous, body=guest_cancellation))
assert guest_cancelled.status == AppointmentStatus.CANCELLED
done("a guest books, looks and cancels")

invited = f"ada-{RUN}@example.com"
new_invitation = NewInvitation(email=invited, role=InvitedRole.CUSTOMER, contact_id=appointment.contact_id)
invitation = expect(201, create_invitation.sync_detailed(client=owner, body=new_invitation))
assert invitation.role == InvitedRole.CUSTOMER
token = mailed_token(invited)
offer = expect(200, look_at_invitation.sync_detailed(client=anonymous, body=InvitationToken(token=token)))
assert offer.account_exists is False
joining = InvitedRegistration(token=token, password="four large copper pans")
joined = expect(201, register_invited.sync_detailed(client=anonymous, body=joining))
customer = signed_in(joined.access_token)
my_slots = expect(200, list_my_slots.sync_detailed(service.id, client=customer, from_=day(3), to=day(4)))
my_booking = expect(
    201,
    book_my_appointment.sync_detailed(
        client=customer, body=MyBooking(service_id=service.id, starts_at=my_slots.items[0].starts_at)
    ),
)
mine = expect(200, list_my_appointments.sync_detailed(client=customer))
assert my_booking.id in [item.id for item in mine.items]
done("a customer registers by invitation and books")

feed = expect(201, create_calendar_feed.sync_detailed(client=owner, body=NewCalendarFeed(name="Workshop")))
assert feed.path
[secret] = parse_qs(urlsplit(feed.path).query)["token"]
calendar = expect(200, read_calendar_feed.sync_detailed(client=anonymous, token=secret))
assert calendar.startswith("BEGIN:VCALENDAR\r\n")
assert str(appointment.id) in calendar
done("a calendar feed")

refreshed = expect(
    200,
    refresh_tokens.sync_detailed(
        client=anonymous, body=RefreshRequest(refresh_token=session.refresh_token)
    ),
)
assert refreshed.refresh_token != session.refresh_token
owner = signed_in(refreshed.access_token)
assert expect(200, get_me.sync_detailed(client=owner)).email == email
done("refresh")

subscription = SubscriptionChanges(plan_type="enterprise")
plan = expect(200, update_subscription.sync_detailed(client=owner, body=subscription))
assert plan.features.api_access is True
new_key = NewApiKey(name="Reader", role=KeyRole.VIEWER, scopes=[Scope.SCHEDULINGREAD])
made = expect(201, create_api_key.sync_detailed(client=owner, body=new_key))
assert made.key
program = signed_in(made.key)
listed = expect(200, list_services.sync_detailed(client=program))
assert [item.id for item in listed.items] == [service.id]
forbidden = refused(403, create_provider.sync_detailed(client=program, body=NewProvider(name="Nobody")))
assert forbidden.code in ["role_too_low", "scope_missing"]
done("an API key")

received = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
new_endpoint = NewWebhookEndpoint(
    url=f"http://127.0.0.1:{receiver.server_port}/hook", types=["contact.created"]
)
hook = expect(201, create_webhook_endpoint.sync_detailed(client=owner, body=new_endpoint))
expect(201, send_test_webhook.sync_detailed(hook.id, client=owner))
grace = NewContact(first_name="Grace", last_name="Murray")
expect(201, create_contact.sync_detailed(client=owner, body=grace))
for _ in range(100):
    if len(received) >= 2:
        break
    time.sleep(0.1)
webhook = Webhook(hook.secret)
events = [webhook.verify(body, headers) for headers, body in received]
assert sorted(event["type"] for event in events) == ["contact.created", "webhook.test"]
assert [event["id"] for event in events] == [headers["webhook-id"] for headers, _ in received]
try:
    webhook.verify(received[0][1] + b" ", received[0][0])
    raise AssertionError("a changed body verifies")
except WebhookVerificationError:
    pass
receiver.shutdown()
done("webhooks arrive, and verify with the library of the standard")

print(f"python: {steps} steps")
