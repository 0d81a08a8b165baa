"""What schemathesis is told about the formats of the description, whose names say more than a pattern can."""

from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies as st

FORMATS = {
    "captcha-token": st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    "color": st.from_regex(r"\A#[0-9a-f]{6}\Z"),
    # The first page begins behind nothing.
    "cursor": st.just("A" * 32),
    "currency": st.sampled_from(["EUR", "USD", "JPY", "CHF"]),
    # The years that the server knows, as its answers say.
    "date-time": st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=st.just(UTC)).map(
        datetime.isoformat
    ),
    "date-time-or-date": st.sampled_from(["2026-12-01", "2030-02-28T09:00:00Z", "2027-03-28T02:30:00+01:00"]),
    "idempotency-key": st.uuids().map(str),
    "language-tag": st.sampled_from(["de", "de-CH", "en-GB", "zh-Hant-TW"]),
    "time-zone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"]),
    "uri": st.from_regex(r"\Ahttps://[a-z]{1,20}\.example/[a-z0-9/]{0,20}\Z"),
    "web-origin": st.from_regex(r"\Ahttps://[a-z]{1,20}\.example\Z"),
}

for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)
