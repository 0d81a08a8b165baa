"""What schemathesis is told about the formats of the description, whose names say more than a pattern can, and a check of
its own: a request that fits its schema is refused with 422 for a reason of refusals.toml alone."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

FORMATS = {
    "captcha-token": st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    "color": st.from_regex(r"\A#[0-9a-f]{6}\Z"),
    "cursor": st.just("A" * 32),
    "currency": st.sampled_from(["EUR", "USD", "JPY", "CHF"]),
    # The years that the server knows, as its answers say.
    "date": st.dates(date(1970, 1, 2), date(2999, 1, 1)).map(date.isoformat),
    "date-time": st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=st.just(UTC)).map(
        datetime.isoformat
    ),
    "date-time-or-date": st.sampled_from(["2026-12-01", "2030-02-28T09:00:00Z", "2027-03-28T02:30:00+01:00"]),
    "entity-tags": st.sampled_from(["*", '"0"']),
    "idempotency-key": st.uuids().map(str),
    "language": st.sampled_from(["de", "en", "fr", "gsw"]),
    "language-tag": st.sampled_from(["de", "de-CH", "en-GB", "zh-Hant-TW"]),
    "time-zone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"]),
    "uri": st.from_regex(r"\Ahttps://[a-z]{1,20}\.example/[a-z0-9/]{0,20}\Z"),
    "web-origin": st.from_regex(r"\Ahttps://[a-z]{1,20}\.example\Z"),
}

for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Asks for the first page: no schema can say which cursors a list has given out."""
    if case.meta is not None and case.meta.generation.mode.is_positive and case.query:
        case.query.pop("cursor", None)


REFUSALS = tomllib.loads(Path(__file__).with_name("refusals.toml").read_text())


def is_listed(operation: str, field: str, code: str) -> bool:
    places = [field, field.rpartition(".")[2], f"{operation} {field}"]
    return code in REFUSALS["codes"] or any(code in REFUSALS["fields"].get(place, {}) for place in places)


@schemathesis.check
def refused_for_a_listed_reason(ctx, response, case):
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    operation = case.operation.definition.raw["operationId"]
    problem = response.json()
    errors = problem.get("errors") or [{"field": "", "code": problem["code"]}]
    # `rules[3].from` is `rules[].from`.
    found = [("".join(part for part in error["field"] if not part.isdigit()), error["code"]) for error in errors]
    listed = [is_listed(operation, field, code) for field, code in found]
    assert all(listed), f"not in refusals.toml: {[pair for pair, known in zip(found, listed) if not known]}"
