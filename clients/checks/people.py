"""Makes an organization with something to book, and prints the access token of a kind of caller: owner, staff, customer
or anonymous. Fills the ids of what it made into a copy of a template.

usage: people.py KIND TEMPLATE COPY

Needs APPOINTD_URL and APPOINTD_MAIL, the folder in which the server writes e-mails.
"""

import json
import os
import re
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from urllib.request import Request, urlopen

RUN = secrets.token_hex(6)
PASSWORD = f"brass kettles {RUN}"


def call(method: str, path: str, body: object = None, token: str | None = None) -> dict:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = Request(os.environ["APPOINTD_URL"] + "/api/v1" + path, data, headers, method=method)
    with urlopen(request) as response:
        return json.loads(response.read() or "{}")


def mailed_token(to: str) -> str:
    for _ in range(100):
        for file in Path(os.environ["APPOINTD_MAIL"]).glob("*.eml"):
            mail = file.read_text()
            token = re.search(r"#token=(\S+)", mail)
            if f"To: {to}" in mail and token:
                return token[1]
        time.sleep(0.1)
    raise SystemExit(f"no e-mail to {to}")


def invite(role: str, contact_id: str | None, owner: str) -> str:
    email = f"{role}-{RUN}@example.com"
    call("POST", "/invitations", {"email": email, "role": role, "contact_id": contact_id}, owner)
    body = {"token": mailed_token(email), "password": PASSWORD}
    return call("POST", "/invitations/register", body)["access_token"]


email = f"owner-{RUN}@example.com"
slug = f"kettles-{RUN}"
organization = {"organization_name": "Kettle Repairs", "organization_slug": slug}
owner = call("POST", "/auth/register", {"email": email, "password": PASSWORD, **organization})["access_token"]
call("POST", "/auth/email/verify", {"token": mailed_token(email)}, owner)
call("PATCH", "/organizations/me/subscription", {"plan_type": "enterprise"}, owner)
provider = call("POST", "/providers", {"name": "Grace Hopper"}, owner)["id"]
weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
rules = [{"weekday": weekday, "from": "00:00", "to": "24:00"} for weekday in weekdays]
call("PUT", f"/providers/{provider}/schedule", {"time_zone": "Europe/Berlin", "rules": rules}, owner)
service = {"name": "Descaling", "duration_minutes": 30, "bookable_online": True}
service = call("POST", "/services", service, owner)["id"]
contact = call("POST", "/contacts", {"first_name": "Ada", "last_name": "Lovelace"}, owner)["id"]
soon = datetime.now(UTC) + timedelta(days=2)
booking = {"service_id": service, "starts_at": soon.strftime("%Y-%m-%dT09:00:00Z")}
appointment = call("POST", "/appointments", {**booking, "contact_id": contact}, owner)["id"]
guest = {"first_name": "Radia", "last_name": "Perlman"}
booking = {"service_id": service, "starts_at": soon.strftime("%Y-%m-%dT12:00:00Z"), "contact": guest}
guest = call("POST", f"/guest/appointments?organization_slug={slug}", booking)["manage_token"]
tokens = {
    "owner": owner,
    "staff": invite("staff", None, owner),
    "customer": invite("customer", contact, owner),
    "anonymous": "",
}
template, filled = Path(sys.argv[2]), Path(sys.argv[3])
made = {
    "slug": slug,
    "provider": provider,
    "service": service,
    "contact": contact,
    "appointment": appointment,
    "guest": guest,
}
filled.write_text(Template(template.read_text()).safe_substitute(made))
print(tokens[sys.argv[1]])
