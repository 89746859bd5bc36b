"""Shifts out of iCalendars: recurring, whole days, exceptions, zones, and what no calendar should hold."""

from __future__ import annotations

import io
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import msgspec
import pytest

from triaged.core.rotation import Shift
from triaged.errors import DeliveryError
from triaged.workers import ical
from triaged.workers.ical import MOST_BYTES, MOST_MEMORY, MOST_SHIFTS, Asked, Told, ask, fetch, shifts_of

START = datetime(2026, 11, 23, tzinfo=UTC)
BERLIN = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE"""


def event(text: str, uid: str = "1") -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{text.strip()}\nEND:VEVENT"


def calendar(*parts: str) -> bytes:
    text = "\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", *parts, "END:VCALENDAR", ""))
    return text.replace("\n", "\r\n").encode()


def asked(url: str = "https://calendar.example.com/x.ics", *, weeks: int = 8, since: datetime = START) -> Asked:
    return Asked(url=url, zone="Europe/Berlin", since=since, until=since + timedelta(weeks=weeks))


def told(*parts: str, weeks: int = 1, since: datetime = START) -> list[tuple[str, str, str]]:
    """Who, from, to, as texts in UTC."""
    found = shifts_of(calendar(*parts), asked(weeks=weeks, since=since))
    return [(one.who[0], f"{one.begins_at:%m-%d %H:%M}", f"{one.ends_at:%m-%d %H:%M}") for one in found]


def test_an_event_is_a_shift_of_whom_its_summary_names() -> None:
    one = event("SUMMARY:ann\nDTSTART:20261123T090000Z\nDTEND:20261124T090000Z")
    assert told(one) == [("ann", "11-23 09:00", "11-24 09:00")]


def test_a_weekly_event_recurs_in_its_zone_when_the_clocks_change() -> None:
    one = event(
        "SUMMARY:ann\nDTSTART;TZID=Europe/Berlin:20261012T090000\nDURATION:PT8H\nRRULE:FREQ=WEEKLY;INTERVAL=1;COUNT=3"
    )
    since = datetime(2026, 10, 12, tzinfo=UTC)
    assert told(BERLIN, one, weeks=4, since=since) == [
        ("ann", "10-12 07:00", "10-12 15:00"),
        ("ann", "10-19 07:00", "10-19 15:00"),
        ("ann", "10-26 08:00", "10-26 16:00"),
    ]


def test_whole_days_are_days_of_the_asked_zone() -> None:
    one = event("SUMMARY:ann\nDTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261126")
    assert told(one) == [("ann", "11-23 23:00", "11-25 23:00")]


def test_whole_days_are_days_of_the_calendars_own_zone_where_it_has_one() -> None:
    one = event("SUMMARY:ann\nDTSTART;VALUE=DATE:20261124")
    assert told("X-WR-TIMEZONE:America/New_York", one) == [("ann", "11-24 05:00", "11-25 05:00")]
    assert told("X-WR-TIMEZONE:Nowhere/Land", one) == [("ann", "11-23 23:00", "11-24 23:00")]


def test_a_time_without_a_zone_is_one_of_the_asked_zone() -> None:
    one = event("SUMMARY:ann\nDTSTART:20261124T090000\nDTEND:20261124T100000")
    assert told(one) == [("ann", "11-24 08:00", "11-24 09:00")]


def test_excluded_dates_are_no_shifts_and_changed_ones_are_as_changed() -> None:
    series = event(
        "SUMMARY:ann\nDTSTART:20261123T090000Z\nDTEND:20261123T170000Z\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20261124T090000Z"
    )
    swapped = event(
        "SUMMARY:bob\nRECURRENCE-ID:20261125T090000Z\nDTSTART:20261125T100000Z\nDTEND:20261125T170000Z\nSEQUENCE:1"
    )
    assert told(series, swapped) == [
        ("ann", "11-23 09:00", "11-23 17:00"),
        ("bob", "11-25 10:00", "11-25 17:00"),
        ("ann", "11-26 09:00", "11-26 17:00"),
    ]


def test_what_is_cancelled_takes_no_time_or_lies_elsewhere_is_no_shift() -> None:
    spans = "DTSTART:20261123T090000Z\nDTEND:20261123T100000Z"
    cancelled = event(f"SUMMARY:ann\nSTATUS:CANCELLED\n{spans}")
    moment = event("SUMMARY:ann\nDTSTART:20261123T090000Z", "2")
    nobody = event(spans, "3")
    before = event("SUMMARY:ann\nDTSTART:20261120T090000Z\nDTEND:20261123T000000Z", "4")
    after = event("SUMMARY:ann\nDTSTART:20261130T000000Z\nDTEND:20261203T000000Z", "5")
    assert told(cancelled, moment, nobody, before, after) == []


def test_whoever_attends_is_surer_than_the_title_and_whoever_declined_is_not_meant() -> None:
    one = event(
        "SUMMARY:Primary\nORGANIZER;CN=Boss:mailto:boss@example.com\n"
        "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com\nATTENDEE;CN=Ann A:MAILTO:ann@example.com\n"
        "DTSTART:20261123T090000Z\nDTEND:20261124T090000Z"
    )
    (shift,) = shifts_of(calendar(one), asked())
    assert shift.who == ("ann@example.com", "Ann A", "Primary", "boss@example.com", "Boss")


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"\xff\xfe\x00", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n"])
def test_what_is_no_calendar_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(ValueError, match="expected an iCalendar"):
        shifts_of(body, asked())


@pytest.mark.parametrize(
    "broken",
    [
        "SUMMARY:ann",
        "SUMMARY:ann\nDTSTART:yesterday",
        "SUMMARY:ann\nDTSTART:20261123T090000Z\nDTEND:20261122T090000Z",
        "SUMMARY:ann\nDTSTART:20261123T090000Z\nDTEND;VALUE=DATE:20261124",
        "SUMMARY:ann\nDTSTART:20261123T090000Z\nDURATION:PT1H\nRRULE:FREQ=NEVER",
        "SUMMARY:ann\nDTSTART:20261123T090000Z\nDURATION:PT1H\nRRULE:COUNT=2",
        "SUMMARY:ann\nDTSTART;TZID=Mars/Base:20261123T090000\nDURATION:PT1H",
    ],
)
def test_an_event_that_makes_no_sense_is_left_out_or_refused_in_words(broken: str) -> None:
    good = event("SUMMARY:bob\nDTSTART:20261123T090000Z\nDURATION:PT1H", "2")
    said = ""
    found: tuple[Shift, ...] = ()
    try:
        found = shifts_of(calendar(event(broken), good), asked())
    except ValueError as refused:
        said = str(refused)
    assert said or "bob" in {one.who[0] for one in found}


def test_more_shifts_than_people_could_have_are_refused() -> None:
    one = event("SUMMARY:ann\nDTSTART:20261123T000000Z\nDURATION:PT10M\nRRULE:FREQ=MINUTELY;INTERVAL=20;COUNT=4000")
    with pytest.raises(ValueError, match=f"expected at most {MOST_SHIFTS:,} shifts, got"):
        shifts_of(calendar(one), asked())


# ---------------------------------------------------------------- over HTTP, in a process of its own


@contextmanager
def serving(body: bytes, *, status: int = 200, location: str = "") -> Iterator[str]:
    """A server of one calendar; its URL holds a secret."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/private-s3cret/basic.ics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(url: str, *, seconds: float = ical.MOST_SECONDS) -> str:
    with pytest.raises(DeliveryError) as caught:
        ask(asked(url), seconds=seconds)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


def test_a_calendar_is_read_over_http() -> None:
    body = calendar(event("SUMMARY:ann\nDTSTART:20261123T090000Z\nDTEND:20261124T090000Z"))
    with serving(body) as url:
        assert ask(asked(url)) == (
            Shift(who=("ann",), begins_at=START + timedelta(hours=9), ends_at=START + timedelta(hours=33)),
        )


def test_no_redirect_is_followed() -> None:
    with serving(calendar()) as elsewhere, serving(b"", status=302, location=elsewhere) as url:
        assert refused(url) == "expected 200, got 302"


def test_a_body_without_end_is_refused() -> None:
    with serving(b"BEGIN:VCALENDAR\r\n" + b"X" * (MOST_BYTES + 1)) as url:
        assert refused(url) == f"expected at most {MOST_BYTES:,} bytes, got more"


def test_where_nobody_answers_it_is_said_without_the_url() -> None:
    assert refused("http://127.0.0.1:1/private-s3cret") == "no answer: ConnectError"


def test_a_rule_without_end_is_given_up() -> None:
    endless = event("SUMMARY:ann\nDTSTART:20260101T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30")
    with serving(calendar(endless)) as url:
        assert refused(url, seconds=3) == "expected a calendar that is read within 3 s"


def test_a_reader_that_dies_is_told_with_its_status_and_without_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    said = "expected a calendar of a size that can be read, it ended the reader (status 1)"
    assert refused("http://127.0.0.1:1/private-s3cret") == said


# ---------------------------------------------------------------- what the reader does, in this process


def test_what_is_fetched_is_the_whole_body() -> None:
    body = b"BEGIN:VCALENDAR\r\n" + b"X" * 100_000
    with serving(body) as url:
        assert fetch(url) == body


@pytest.mark.parametrize("status", [204, 302, 401, 404, 500])
def test_another_status_than_200_is_no_calendar(status: int) -> None:
    with serving(b"", status=status) as url, pytest.raises(DeliveryError, match=f"expected 200, got {status}"):
        fetch(url)


@pytest.mark.parametrize("url", ["webcal://127.0.0.1:1/private-s3cret", "WebCal://127.0.0.1:1/private-s3cret"])
def test_webcal_is_asked_as_https(url: str) -> None:
    with pytest.raises(DeliveryError, match=r"^no answer: ConnectError$"):
        fetch(url)


@pytest.mark.parametrize("url", ["http://[s3cret", "ftp://127.0.0.1/s3cret", "http://s3cret:port/", "s3cret"])
def test_a_url_that_leads_nowhere_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(DeliveryError, match=r"^no answer: \w+$"):
        fetch(url)


def test_more_than_a_calendar_may_have_is_not_kept() -> None:
    with serving(b"X" * (MOST_BYTES + 1)) as url, pytest.raises(DeliveryError, match="expected at most"):
        fetch(url)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Asked], Told]:
    """What the reader writes to standard output when it is asked on standard input; its limit is kept, not set."""

    def ask_it(question: Asked) -> Told:
        limits: list[object] = []
        monkeypatch.setattr(resource, "setrlimit", lambda which, limit: limits.append((which, limit)))
        stdin, stdout = io.BytesIO(msgspec.json.encode(question)), io.BytesIO()
        with monkeypatch.context() as changed:
            changed.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
            changed.setattr(sys, "stdout", SimpleNamespace(buffer=stdout))
            ical.main()
        assert limits == [(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))]
        return msgspec.json.decode(stdout.getvalue(), type=Told)

    return ask_it


def test_the_reader_bounds_its_memory_and_answers_with_shifts(answer: Callable[[Asked], Told]) -> None:
    with serving(calendar(event("SUMMARY:ann\nDTSTART:20261123T090000Z\nDTEND:20261124T090000Z"))) as url:
        told = answer(asked(url))
    assert [(shift.who, shift.begins_at) for shift in told.shifts] == [(("ann",), START + timedelta(hours=9))]
    assert told.failure == ""


def test_the_reader_says_what_it_cannot_read(answer: Callable[[Asked], Told]) -> None:
    with serving(b"<html>Sign in</html>") as url:
        told = answer(asked(url))
    assert told.shifts == ()
    assert told.failure.startswith("expected an iCalendar")


def test_a_reader_without_memory_says_so_in_a_word(
    answer: Callable[[Asked], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_body: bytes, _asked: Asked) -> tuple[Shift, ...]:
        raise MemoryError

    monkeypatch.setattr(ical, "shifts_of", full)
    with serving(b"") as url:
        assert answer(asked(url)).failure == "MemoryError"
