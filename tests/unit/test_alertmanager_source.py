"""What Alertmanager, Grafana and people's own templates send, and what is read out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triaged.core.keys import fingerprint
from triaged.core.model import Alert, AlertStatus
from triaged.errors import PayloadError
from triaged.ports.source import Reading
from triaged.sources import mending
from triaged.sources.alertmanager import digests, read
from triaged.sources.limits import LONGEST_NAME, LONGEST_VALUE, MOST_ALERTS, MOST_LABELS

CAPTURED = sorted((Path(__file__).parents[1] / "fixtures" / "alertmanager").glob("*.json"))
LABELS = {"alertname": "HighCPU", "instance": "web1"}
ZERO = "0001-01-01T00:00:00Z"


def alert(**fields: Any) -> dict[str, Any]:
    """An alert on the wire; None leaves a field out."""
    sent = {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "CPU above 95 %"},
        "startsAt": "2026-11-23T08:10:14.833574574Z",
        "endsAt": ZERO,
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": "b93f4910572832dd",
        **fields,
    }
    return {name: value for name, value in sent.items() if value is not None}


def body(*alerts: Any, **more: Any) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "receiver": "r", "alerts": list(alerts), **more}).encode()


def texts(alerts: str) -> bytes:
    """A body around alerts that json.dumps would not write."""
    return ('{"version":"4","status":"firing","alerts":[' + alerts + "]}").encode()


def one(sent: bytes) -> Alert:
    """The one alert of a body in which nothing is unreadable."""
    reading = read("alertmanager", sent)
    assert reading.rejected == ()
    (found,) = reading.alerts
    return found


def rejected(sent: bytes) -> list[str]:
    return [bad.reason for bad in read("alertmanager", sent).rejected]


def sound(reading: Reading) -> None:
    """Whatever was read can be stored by either database."""
    for found in reading.alerts:
        assert found.labels
        assert all(found.labels.values())
        assert len(found.labels) <= MOST_LABELS
        assert len(found.annotations) <= MOST_LABELS
        assert found.fingerprint == fingerprint(found.source, found.labels)
        told = [*found.labels, *found.labels.values(), *found.annotations, *found.annotations.values()]
        for text in (*told, found.generator_url, *found.mended):
            text.encode()
            assert "\0" not in text
        for at in (found.starts_at, found.ends_at):
            assert at is None or (at.tzinfo is UTC and at.year > 1)
    for bad in reading.rejected:
        assert bad.reason.isidentifier()
        bad.text.encode()


# ---------------------------------------------------------------- captured bodies


@pytest.mark.parametrize("file", CAPTURED, ids=lambda file: file.stem)
def test_every_captured_body_is_read_whole_and_as_it_was_sent(file: Path) -> None:
    sent = file.read_bytes()
    wire = json.loads(sent)["alerts"]
    reading = read("alertmanager", sent)
    sound(reading)
    assert reading.rejected == ()
    assert [(found.status.value, found.labels, found.annotations) for found in reading.alerts] == [
        (item["status"], item["labels"], item["annotations"]) for item in wire
    ]
    for found, item in zip(reading.alerts, wire, strict=True):
        assert found.mended == ()
        assert found.starts_at == datetime.fromisoformat(item["startsAt"])
        assert (found.ends_at is None) == (found.status == "firing")
        assert json.loads(found.raw) == item


@pytest.mark.parametrize("file", CAPTURED, ids=lambda file: file.stem)
def test_the_door_and_the_reader_give_the_same_digests(file: Path) -> None:
    sent = file.read_bytes()
    assert digests("alertmanager", sent) == [found.digest for found in read("alertmanager", sent).alerts]


def test_a_refire_is_the_same_alert_with_another_start() -> None:
    folder = CAPTURED[0].parent
    first, *_ = read("am", (folder / "am0.33.1_firing_multi.json").read_bytes()).alerts
    again = read("am", (folder / "am0.33.1_refired.json").read_bytes()).alerts
    (same,) = [found for found in again if found.fingerprint == first.fingerprint]
    assert same.starts_at is not None
    assert first.starts_at is not None
    assert same.starts_at > first.starts_at


# ---------------------------------------------------------------- the envelope


@pytest.mark.parametrize(
    "envelope",
    [
        {"groupKey": None, "receiver": None, "groupLabels": None, "commonLabels": None, "truncatedAlerts": None},
        {
            "groupKey": '{}/{a="b"}:{c="ü"}' * 500,
            "version": "1",
            "orgId": 1,
            "title": "[FIRING:1]",
            "state": "alerting",
        },
        {"notification_reason": "first notification", "routeLabels": {"a": "b"}, "something": [{"new": {}}]},
        {"status": None},
        {"status": 7, "version": 4},
        {"truncatedAlerts": 4},
    ],
    ids=["nulls", "grafana", "newer fields", "no status", "odd types", "truncated"],
)
def test_what_stands_around_the_alerts_does_not_matter(envelope: Mapping[str, Any]) -> None:
    assert one(body(alert(), **envelope)).labels == LABELS


def test_a_body_of_grafana_managed_alerts_is_read() -> None:
    sent = body(
        alert(
            values={"A": 1.5, "B": None},
            valueString="[ var='A' labels={} value=1.5 ]",
            silenceURL="https://grafana.example.com/silence",
            dashboardURL="",
            panelURL="",
        ),
        version="1",
        orgId=1,
        message="**Firing**",
        externalURL="https://grafana.example.com/",
    )
    assert one(sent).mended == ()


def test_no_alerts_are_no_error() -> None:
    assert read("alertmanager", body()) == Reading(alerts=(), rejected=())
    assert digests("alertmanager", body()) == []


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (b"", "no readable JSON"),
        (b"not json", "no readable JSON"),
        (b'{"alerts": [', "no readable JSON"),
        (b"[]", "a list"),
        (b"null", "nothing"),
        (b'"text"', "a text"),
        (b"{}", '"alerts" as nothing'),
        (b'{"alerts": null}', '"alerts" as nothing'),
        (b'{"alerts": {}}', '"alerts" as an object'),
        (b'{"alerts": "none"}', '"alerts" as a text'),
        (b'{"alerts": true}', '"alerts" as a boolean'),
        (b'{"alerts": 1}', '"alerts" as a number'),
        (b"[" * 100_000, "no readable JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "no readable JSON"),
        ('{"alerts": []}'.encode("utf-16"), "no readable JSON"),
        (b"\x1f\x8b\x08\x00garbage", "no readable JSON"),
    ],
    ids=range(16),
)
def test_a_body_that_can_never_be_read_is_refused_with_what_was_expected(sent: bytes, got: str) -> None:
    with pytest.raises(PayloadError, match='expected a JSON object with a list "alerts"') as refused:
        read("alertmanager", sent)
    assert got in str(refused.value)
    assert refused.value.status == 400
    assert len(str(refused.value)) < 700
    assert digests("alertmanager", sent) is None


def test_more_alerts_than_the_limit_are_refused_as_too_large() -> None:
    with pytest.raises(PayloadError, match="at most 10,000 alerts in a request, got 10,001") as refused:
        read("alertmanager", texts(",".join(["{}"] * (MOST_ALERTS + 1))))
    assert refused.value.status == 413


def test_a_byte_order_mark_is_passed_over() -> None:
    assert one(b"\xef\xbb\xbf" + body(alert())).labels == LABELS


# ---------------------------------------------------------------- fields of an alert


def test_an_alert_of_labels_alone_fires() -> None:
    found = one(body({"labels": LABELS}, status=None))
    assert (found.status, found.annotations, found.generator_url) == (AlertStatus.FIRING, {}, "")
    assert (found.starts_at, found.ends_at) == (None, None)


def test_null_fields_are_absent_fields() -> None:
    nulls = dict.fromkeys(("annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"))
    found = one(texts(json.dumps({"status": "firing", "labels": LABELS, **nulls})))
    assert (found.labels, found.annotations, found.starts_at) == (LABELS, {}, None)


@pytest.mark.parametrize("own", [None, ""])
@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_an_alert_without_a_status_follows_its_group(own: str | None, status: str) -> None:
    sent = body(alert(status=own), status=status)
    assert one(sent).status == status


def test_the_same_text_in_a_group_of_another_status_is_another_state() -> None:
    fires, ended = (body(alert(status=None), status=status) for status in ("firing", "resolved"))
    assert one(fires).digest != one(ended).digest
    for sent in (fires, ended):
        assert digests("alertmanager", sent) in (None, [one(sent).digest])


@pytest.mark.parametrize("status", ["pending", "Firing", "🔥", 1, {"a": "b"}, ["firing"], "x" * 9_999])
def test_an_unknown_status_costs_that_alert_alone(status: Any) -> None:
    other = alert(labels={"alertname": "Other"})
    reading = read("alertmanager", body(alert(status=status), other))
    (bad,) = reading.rejected
    assert bad.reason == "unknown_status"
    assert 'expected "firing" or "resolved"' in bad.text
    assert len(bad.text) < 200
    assert [found.labels["alertname"] for found in reading.alerts] == ["Other"]


@pytest.mark.parametrize("severity", ["page", "P1", "", "CRITICAL", "紧急"])
def test_an_unknown_severity_is_a_label_like_any_other(severity: str) -> None:
    found = one(body(alert(labels={**LABELS, "severity": severity})))
    assert found.labels.get("severity", "") == severity


def test_labels_without_a_value_are_absent_as_prometheus_has_it() -> None:
    assert one(body(alert(labels={**LABELS, "empty": ""}))).fingerprint == one(body(alert())).fingerprint


def test_two_alerts_with_one_fingerprint_of_the_sender_and_other_labels_are_two() -> None:
    reading = read("alertmanager", body(alert(), alert(labels={**LABELS, "instance": "web2"})))
    first, second = reading.alerts
    assert first.fingerprint != second.fingerprint


def test_the_same_labels_from_another_source_are_another_alert() -> None:
    assert read("a", body(alert())).alerts[0].fingerprint != read("b", body(alert())).alerts[0].fingerprint
    assert digests("a", body(alert())) != digests("b", body(alert()))


def test_a_nested_value_is_taken_as_its_json_text_and_told() -> None:
    found = one(body(alert(annotations={"values": {"A": [1, None, "ü"]}, "n": 1.5, "b": True, "z": None})))
    assert found.annotations == {"values": '{"A": [1, null, "ü"]}', "n": "1.5", "b": "true", "z": ""}
    assert any("annotations.values" in word for word in found.mended)


def test_a_label_that_is_no_text_is_taken_as_its_json_text() -> None:
    found = one(body(alert(labels={"alertname": "A", "port": 9090, "up": False, "none": None})))
    assert found.labels == {"alertname": "A", "port": "9090", "up": "false"}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("null", "not_an_object"),
        ("7", "not_an_object"),
        ('"text"', "not_an_object"),
        ("[]", "not_an_object"),
        ("{}", "no_labels"),
        ('{"status":"firing","labels":null}', "no_labels"),
        ('{"status":"firing","labels":[]}', "no_labels"),
        ('{"status":"firing","labels":{}}', "no_labels"),
        ('{"status":"firing","labels":{"a":""}}', "no_labels"),
        ('{"status":"firing","labels":{"a":null}}', "no_labels"),
    ],
)
def test_an_unreadable_alert_costs_itself_alone_and_says_why(sent: str, reason: str) -> None:
    reading = read("alertmanager", texts(f"{sent},{json.dumps(alert())},{sent}"))
    assert [bad.reason for bad in reading.rejected] == [reason, reason]
    assert all("expected" in bad.text and "got" in bad.text for bad in reading.rejected)
    assert [json.loads(bad.raw) for bad in reading.rejected] == [json.loads(sent)] * 2
    assert [found.labels for found in reading.alerts] == [LABELS]


# ---------------------------------------------------------------- instants


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T08:10:14Z", datetime(2026, 11, 23, 8, 10, 14, tzinfo=UTC)),
        ("2026-11-23T08:10:14.833574999Z", datetime(2026, 11, 23, 8, 10, 14, 833574, tzinfo=UTC)),
        ("2026-11-23T08:10:14.8Z", datetime(2026, 11, 23, 8, 10, 14, 800000, tzinfo=UTC)),
        ("2026-11-23T13:40:14.5+05:30", datetime(2026, 11, 23, 8, 10, 14, 500000, tzinfo=UTC)),
        ("2026-11-22T22:10:14-10:00", datetime(2026, 11, 23, 8, 10, 14, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1066-10-14T09:00:00Z", datetime(1066, 10, 14, 9, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_to_the_microsecond_in_utc(text: str, expected: datetime) -> None:
    found = one(body(alert(startsAt=text, endsAt=text)))
    assert (found.starts_at, found.ends_at, found.mended) == (expected, expected, ())


@pytest.mark.parametrize("text", [ZERO, "", "0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00-02:00"])
def test_go_s_zero_time_is_no_instant(text: str) -> None:
    found = one(body(alert(startsAt=text, endsAt=text)))
    assert (found.starts_at, found.ends_at, found.mended) == (None, None, ())


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-02-30T00:00:00Z",
        "2026-11-23T25:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "99999-01-01T00:00:00Z",
        "1763885414",
        "-0001-01-01T00:00:00Z",
        "2026-11-23T08:10:14+99:00",
        "x" * 100_000,
    ],
)
def test_a_wrong_date_costs_the_date_and_not_the_alert(text: str) -> None:
    found = one(body(alert(startsAt=text)))
    assert (found.labels, found.starts_at) == (LABELS, None)
    (word,) = found.mended
    assert word.startswith("startsAt: expected an RFC 3339 instant")
    assert len(word) < 200


def test_what_is_no_instant_is_not_remembered() -> None:
    before = mending._parse.cache_info().currsize
    one(body(alert(startsAt="x" * 1_000_000)))
    assert mending._parse.cache_info().currsize == before


@pytest.mark.parametrize("value", [1763885414, 1.5e300, True, {"a": 1}, []])
def test_an_instant_of_another_type_is_taken_as_absent_and_told(value: Any) -> None:
    found = one(body(alert(startsAt=value)))
    assert found.starts_at is None
    assert any("startsAt" in word for word in found.mended)


# ---------------------------------------------------------------- bytes that should not be there


@pytest.mark.parametrize("broken", ["\\u0000", "\\ud800", "\\udfff", "\\ud83d x"], ids=ascii)
def test_what_no_database_takes_becomes_a_replacement_character(broken: str) -> None:
    found = one(
        texts(
            '{"status":"firing","labels":{"alertname":"a'
            + broken
            + '"},"annotations":{"s'
            + broken
            + '":"b'
            + broken
            + 'c"},"generatorURL":"'
            + broken
            + '"}'
        )
    )
    assert found.labels["alertname"].startswith("a�")
    assert next(iter(found.annotations)).startswith("s�")
    assert "�" in found.generator_url
    sound(Reading(alerts=(found,), rejected=()))


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert one(body(alert(labels={"alertname": "a\\u0000"}))).labels == {"alertname": "a\\u0000"}


def test_an_emoji_written_as_a_surrogate_pair_is_whole() -> None:
    assert one(texts('{"status":"firing","labels":{"alertname":"\\ud83d\\udd25"}}')).labels == {"alertname": "🔥"}


@pytest.mark.parametrize("field", ["annotation", "label", "ignored"])
def test_invalid_utf_8_costs_those_bytes_and_not_the_alert(field: str) -> None:
    sent = body(alert(labels={**LABELS, "l": "@label@"}, annotations={"a": "@annotation@"}, x="@ignored@"))
    found = one(sent.replace(f"@{field}@".encode(), b"\xff\xfe caf\xe9"))
    assert found.labels["alertname"] == "HighCPU"
    if field == "annotation":
        assert found.annotations["a"].endswith(" caf�")
    sound(Reading(alerts=(found,), rejected=()))


def test_of_two_equal_keys_the_last_one_counts_as_in_every_json_reader() -> None:
    sent = '{"status":"resolved","status":"firing","labels":{"alertname":"a","alertname":"b"}}'
    found = one(texts(sent))
    assert (found.status, found.labels) == (AlertStatus.FIRING, {"alertname": "b"})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "-0", "0.1e-9", "1" * 10_000])
@pytest.mark.parametrize("place", ["annotation", "label", "ignored"])
def test_odd_numbers_never_cost_the_other_alerts(number: str, place: str) -> None:
    fields = {"annotation": '"annotations":{"v":%s}', "label": '"labels":{"alertname":"A","v":%s}', "ignored": '"v":%s'}
    odd = '{"status":"firing","labels":{"alertname":"A"},' + fields[place] % number + "}"
    reading = read("alertmanager", texts(f"{odd},{json.dumps(alert())}"))
    sound(reading)
    assert LABELS in [found.labels for found in reading.alerts]
    assert len(reading.alerts) + len(reading.rejected) == 2


@pytest.mark.parametrize("depth", [10, 200, 900, 990, 1_000, 1_100, 3_000, 100_000])
def test_deep_nesting_never_costs_the_other_alerts_more_than_the_request(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    odd = '{"status":"firing","labels":{"alertname":"A"},"annotations":{"deep":' + deep + "}}"
    with suppress(PayloadError):
        reading = read("alertmanager", texts(f"{odd},{json.dumps(alert())}"))
        sound(reading)
        assert LABELS in [found.labels for found in reading.alerts]


# ---------------------------------------------------------------- limits


def test_labels_up_to_the_limits_are_taken() -> None:
    most = {f"l{i}": "v" for i in range(MOST_LABELS - 1)}
    longest = {"n" * LONGEST_NAME: "é" * LONGEST_VALUE}
    assert one(body(alert(labels={**most, **longest}))).labels == {**most, **longest}


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({f"l{i}": "v" for i in range(MOST_LABELS + 1)}, "too_many_labels"),
        ({"n" * (LONGEST_NAME + 1): "v"}, "label_too_long"),
        ({"n": "v" * (LONGEST_VALUE + 1)}, "label_too_long"),
    ],
    ids=["too many", "name too long", "value too long"],
)
def test_labels_beyond_the_limits_reject_the_alert_for_cutting_would_merge_two(
    labels: Mapping[str, str], reason: str
) -> None:
    reading = read("alertmanager", body(alert(labels=labels), alert()))
    assert [bad.reason for bad in reading.rejected] == [reason]
    assert len(reading.rejected[0].text) < 200
    assert [found.labels for found in reading.alerts] == [LABELS]


def test_annotations_beyond_the_limits_are_cut_and_that_is_told() -> None:
    many = {f"a{i}": "v" for i in range(MOST_LABELS + 5)}
    found = one(body(alert(annotations={**many})))
    assert len(found.annotations) == MOST_LABELS
    assert any(f"kept {MOST_LABELS} of {MOST_LABELS + 5}" in word for word in found.mended)
    found = one(body(alert(annotations={"long": "é" * (LONGEST_VALUE + 1), "short": "s"})))
    assert found.annotations == {"long": "é" * LONGEST_VALUE, "short": "s"}
    assert any("annotations.long" in word for word in found.mended)


def test_an_annotation_s_name_is_cut_too() -> None:
    found = one(body(alert(annotations={"n" * 1_000_000: "v"})))
    assert max(map(len, found.annotations)) <= LONGEST_NAME


# ---------------------------------------------------------------- whatever comes


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["firing", "resolved", ZERO]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
_TEXT = st.text(max_size=9) | st.text(st.characters(categories=["Cs", "Cc"]), max_size=3)
_LABELS = st.dictionaries(_TEXT, _TEXT | _ANY, max_size=5)
_SENT = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["firing", "resolved"]) | _ANY,
        "labels": _LABELS | _ANY,
        "annotations": _LABELS | _ANY,
        "startsAt": st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | _ANY,
        "endsAt": st.just(ZERO) | _ANY,
        "generatorURL": _ANY,
    },
)
_BODIES = st.fixed_dictionaries(
    {"alerts": st.lists(_SENT | _ANY, max_size=4)}, optional={"status": _ANY, "x": _ANY}
).map(lambda value: json.dumps(value).encode())


@given(sent=_BODIES | st.binary() | _ANY.map(lambda value: json.dumps(value).encode()))
@example(sent=b'{"alerts":[{"labels":{"a":"\xff"}}]}')
@example(sent=b'{"alerts":[{"labels":{"a":"b"},"startsAt":"0001-01-01T00:00:00+23:59"}]}')
@settings(max_examples=300)
def test_whatever_comes_is_read_or_refused_in_words(sent: bytes) -> None:
    with suppress(PayloadError):
        sound(read("alertmanager", sent))


@given(sent=_BODIES)
@settings(max_examples=200)
def test_the_door_knows_an_alert_by_what_the_reader_calls_it(sent: bytes) -> None:
    at_the_door = digests("alertmanager", sent)
    reading = read("alertmanager", sent)
    found = {good.digest for good in reading.alerts} | {bad.digest for bad in reading.rejected}
    assert at_the_door is None or set(at_the_door) == found


@given(cut=st.integers(0, 900), byte=st.integers(0, 255))
@settings(max_examples=200)
def test_a_damaged_body_is_read_or_refused_in_words(cut: int, byte: int) -> None:
    sent = bytearray(body(alert(), alert(labels={"alertname": "Other"})))
    place = cut % len(sent)
    for damaged in (bytes(sent[:place]), bytes(sent[:place]) + bytes([byte]) + bytes(sent[place + 1 :])):
        with suppress(PayloadError):
            sound(read("alertmanager", damaged))


@given(
    labels=st.dictionaries(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5), min_size=1), data=st.data()
)
def test_the_order_of_labels_does_not_matter(labels: dict[str, str], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(labels.items()))))
    assert fingerprint("alertmanager", shuffled) == fingerprint("alertmanager", labels)
    first, second = (read("alertmanager", body(alert(labels=some))) for some in (labels, shuffled))
    assert [found.fingerprint for found in first.alerts] == [found.fingerprint for found in second.alerts]
