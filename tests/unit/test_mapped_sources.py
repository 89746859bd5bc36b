"""Mapped sources: what the presets read out of the vendors' own examples, and what a mapping can say."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.core.model import Alert
from triaged.errors import ConfigError, Finding, PayloadError
from triaged.ports.mapping import Protocol, SourceMapping
from triaged.ports.source import Reading
from triaged.rulefiles import load, read, sources
from triaged.rulefiles.steady import BODY
from triaged.sources import alertmanager, mapped, pagerduty, sns
from triaged.sources.limits import LONGEST_VALUE, MOST_ALERTS, MOST_LABELS

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "sources"
MINIMAL = {
    path.name: path.read_text() for path in (ROOT / "tests" / "fixtures" / "rules" / "good" / "minimal").iterdir()
}
PRESETS = load(ROOT / "rules").sources


def mapping(text: str, name: str = "tool") -> SourceMapping:
    return read({**MINIMAL, f"sources/{name}.yaml": text}).sources[name]


def findings(text: str, name: str = "tool") -> tuple[Finding, ...]:
    with pytest.raises(ConfigError) as caught:
        read({**MINIMAL, f"sources/{name}.yaml": text})
    return caught.value.findings


def reading(source: SourceMapping, document: object) -> Reading:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return mapped.reader(source)(source.name, body)


def one(source: SourceMapping, document: object) -> Alert:
    found = reading(source, document)
    assert found.rejected == ()
    (alert,) = found.alerts
    return alert


def preset(name: str, file: str) -> Reading:
    return reading(PRESETS[name], (FIXTURES / f"{file}.json").read_bytes())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# ---------------------------------------------------------------- presets, on what the vendors' documents show

PING = "PING 10.13.13.13 (10.13.13.13) 56(84) bytes of data."
THRESHOLD = "Threshold Crossed: 1 datapoint"
# preset, file → of each alert: status, labels, annotations (their beginnings), start, end, link
EXAMPLES: dict[tuple[str, str], list[tuple[str, dict[str, str], dict[str, str], str, str, str]]] = {
    ("grafana", "grafana"): [
        (
            "firing",
            {"alertname": "High memory usage", "team": "blue", "zone": "us-1"},
            {
                "description": "The system has high memory usage",
                "runbook_url": "https://myrunbook.com/runbook/1234",
                "summary": "This alert was triggered for zone us-1",
                "silence": "https://play.grafana.org/alerting/silence/new",
            },
            "2021-10-12T07:51:03.157076Z",
            "",
            "https://play.grafana.org/alerting/1afz29v7z/edit",
        ),
        (
            "firing",
            {"alertname": "High CPU usage", "team": "blue", "zone": "eu-1"},
            {
                "description": "The system has high CPU usage",
                "runbook_url": "https://myrunbook.com/runbook/1234",
                "summary": "This alert was triggered for zone eu-1",
                "silence": "https://play.grafana.org/alerting/silence/new",
            },
            "2021-10-12T07:56:03.157076Z",
            "",
            "https://play.grafana.org/alerting/d1rdpdv7k/edit",
        ),
    ],
    ("grafana", "grafana-resolved"): [
        (
            "resolved",
            {"alertname": "High memory usage", "team": "blue", "zone": "us-1"},
            {
                "description": "The system has high memory usage",
                "runbook_url": "https://myrunbook.com/runbook/1234",
                "summary": "This alert was triggered for zone us-1",
            },
            "2021-10-12T07:51:03.157076Z",
            "2021-10-12T08:21:03.157076Z",
            "https://play.grafana.org/alerting/1afz29v7z/edit",
        )
    ],
    ("cloudwatch", "cloudwatch-alarm"): [
        (
            "firing",
            {
                "alertname": "Example alarm name",
                "account": "000000000000",
                "region": "EU - Ireland",
                "metric": "DeliveryErrors",
                "metric_namespace": "ExampleNamespace",
            },
            {"summary": THRESHOLD, "description": "Example alarm description."},
            "2017-01-12T16:30:42.236Z",
            "",
            "",
        )
    ],
    ("cloudwatch", "cloudwatch-ok"): [
        (
            "resolved",
            {
                "alertname": "Example alarm name",
                "account": "000000000000",
                "region": "EU - Ireland",
                "metric": "DeliveryErrors",
                "metric_namespace": "ExampleNamespace",
            },
            {"summary": THRESHOLD, "description": "Example alarm description."},
            "",
            "2017-01-12T16:45:42.236Z",
            "",
        )
    ],
    ("cloudwatch", "cloudwatch-dimensions"): [
        (
            "firing",
            {
                "alertname": "awsrds-app-High-DB-Connections",
                "account": "123456789123",
                "region": "US West - Oregon",
                "metric": "DatabaseConnections",
                "metric_namespace": "AWS/RDS",
                "DBInstanceIdentifier": "app",
            },
            {"summary": THRESHOLD},
            "2016-07-24T22:05:19.737Z",
            "",
            "",
        )
    ],
    ("cloudwatch", "cloudwatch-no-data"): [],
    ("cloudwatch", "sns-subscription"): [],
    ("cloudwatch", "sns-unsubscribed"): [],
    ("pagerduty", "pagerduty-trigger"): [
        (
            "firing",
            {
                "alertname": "deploy",
                "severity": "info",
                "instance": "monitoringtool:cloudvendor:central-region-dc-01:852559987:cluster/api-stats-prod-003",
                "service": "postgres",
                "group": "prod-datapipe",
                "client": "Sample Monitoring Service",
                "dedup_key": "samplekeyhere",
            },
            {
                "summary": "Example alert on host1.example.com",
                "links": "https://example.com/",
                "ping time": "1500ms",
                "load avg": "0.75",
            },
            "2015-07-17T08:42:58.315Z",
            "",
            "https://monitoring.example.com",
        )
    ],
    ("pagerduty", "pagerduty-acknowledge"): [],
    ("pagerduty", "pagerduty-resolve"): [("resolved", {"dedup_key": "samplekeyhere"}, {}, "", "", "")],
    ("uptime-kuma", "uptime-kuma-down"): [
        (
            "firing",
            {
                "alertname": "EndpointDown",
                "service": "Testing",
                "instance": "10.13.13.13",
                "type": "ping",
                "monitor_id": "10",
                "site": "berlin",
            },
            {"summary": f"[Testing] [🔴 Down] {PING}"},
            "2022-01-21T14:06:38Z",
            "",
            "",
        )
    ],
    ("uptime-kuma", "uptime-kuma-up"): [
        (
            "resolved",
            {
                "alertname": "EndpointDown",
                "service": "Testing",
                "instance": "10.13.13.13",
                "type": "ping",
                "monitor_id": "10",
            },
            {"summary": "[Testing] [✅ Up] "},
            "",
            "2022-01-21T14:11:40Z",
            "",
        )
    ],
    ("uptime-kuma", "uptime-kuma-group-down"): [
        (
            "firing",
            {"alertname": "EndpointDown", "service": "All of the shop", "type": "group", "monitor_id": "10"},
            {"summary": "[All of the shop] [🔴 Down] Child inaccessible"},
            "2023-09-16T10:41:24.905Z",
            "",
            "",
        )
    ],
    ("uptime-kuma", "uptime-kuma-test"): [],
    ("generic", "generic"): [
        (
            "firing",
            {
                "alertname": "BackupFailed",
                "severity": "warning",
                "service": "postgres-main",
                "instance": "db-1",
                "disk_name": "sda",
                "disk_number": "1",
            },
            {"summary": "No space left on device."},
            "2026-11-23T09:00:00Z",
            "",
            "https://backups.example.com/runs/7",
        ),
        (
            "resolved",
            {"alertname": "BackupFailed", "severity": "warning", "service": "search", "instance": "db-2"},
            {},
            "",
            "",
            "",
        ),
    ],
}


@pytest.mark.parametrize(("name", "file"), EXAMPLES, ids="-".join)
def test_a_preset_reads_what_the_vendor_documents(name: str, file: str) -> None:
    found = preset(name, file)
    assert found.rejected == ()
    expected = EXAMPLES[name, file]
    assert [(alert.status.value, alert.labels) for alert in found.alerts] == [(row[0], row[1]) for row in expected]
    for alert, (_, _, told, starts, ends, link) in zip(found.alerts, expected, strict=True):
        assert alert.annotations.keys() == told.keys()
        assert all(alert.annotations[key].startswith(text) for key, text in told.items())
        assert alert.starts_at == (at(starts) if starts else None)
        assert alert.ends_at == (at(ends) if ends else None)
        assert (alert.generator_url, alert.mended, alert.source) == (link, (), name)


def test_every_preset_has_an_example_and_every_example_is_used() -> None:
    assert {name for name, _ in EXAMPLES} == PRESETS.keys()
    others = {"sns-text"}
    assert {file for _, file in EXAMPLES} | others == {path.stem for path in FIXTURES.glob("*.json")}


@pytest.mark.parametrize(
    ("name", "firing", "resolved"),
    [
        ("grafana", "grafana", "grafana-resolved"),
        ("cloudwatch", "cloudwatch-alarm", "cloudwatch-ok"),
        ("pagerduty", "pagerduty-trigger", "pagerduty-resolve"),
        ("uptime-kuma", "uptime-kuma-down", "uptime-kuma-up"),
    ],
)
def test_the_end_of_a_vendors_alert_is_that_of_the_alert_that_fired(name: str, firing: str, resolved: str) -> None:
    assert preset(name, firing).alerts[0].fingerprint == preset(name, resolved).alerts[0].fingerprint


@pytest.mark.parametrize(("name", "file"), EXAMPLES, ids="-".join)
def test_what_is_kept_of_an_alert_is_read_again_as_the_very_same_alert(name: str, file: str) -> None:
    for alert in preset(name, file).alerts:
        again = alertmanager.read(name, b'{"alerts":[' + alert.raw + b"]}")
        assert again == Reading(alerts=(alert,), rejected=())


def test_what_the_mapping_does_not_look_at_makes_no_new_text_of_a_repeat() -> None:
    sent = json.loads((FIXTURES / "uptime-kuma-down.json").read_text())
    again = {**sent, "heartbeat": {**sent["heartbeat"], "duration": 60, "ping": 7}}
    assert one(PRESETS["uptime-kuma"], sent).digest == one(PRESETS["uptime-kuma"], again).digest


def test_an_empty_list_in_plain_json_is_no_alert() -> None:
    nothing = Reading(alerts=(), rejected=())
    assert reading(PRESETS["generic"], {"alerts": []}) == nothing
    assert reading(PRESETS["generic"], {"alerts": [], "title": "nothing to report"}) == nothing


def test_a_text_over_sns_that_is_no_alarm_is_kept_as_it_came() -> None:
    (bad,) = preset("cloudwatch", "sns-text").rejected
    assert (bad.reason, json.loads(bad.raw)["Message"]) == ("no_labels", "Hello world!")


# ---------------------------------------------------------------- what a mapping can say


def test_a_file_with_labels_alone_is_a_mapping_of_a_body_that_is_one_alert() -> None:
    alert = one(mapping("labels: {alertname: title}"), {"title": "Broken"})
    assert (alert.status, alert.labels, alert.annotations) == ("firing", {"alertname": "Broken"}, {})


@pytest.mark.parametrize(
    ("pick", "document", "label"),
    [
        ("a.b", {"a": {"b": "deep"}}, "deep"),
        ("a", {"a": 7}, "7"),
        ("a", {"a": 1.5}, "1.5"),
        ("a", {"a": True}, "true"),
        ("a", {"a": ["x", 1]}, '["x", 1]'),
        ("a || b", {"b": "second"}, "second"),
        ("a", {"a": "nul\x00 and \ud800"}, "nul\ufffd and \ufffd"),
        ("a", {"a": "a literal \\u0000"}, "a literal \\u0000"),
        ("join('-', [a, b])", {"a": "x", "b": "y"}, "x-y"),
        ("{value: always}", {}, "always"),
        ("{from: a, default: none}", {}, "none"),
        ("{from: a, default: none}", {"a": "some"}, "some"),
        ("{from: a, map: {P1: critical, '2': high}}", {"a": "P1"}, "critical"),
        ("{from: a, map: {P1: critical, '2': high}}", {"a": 2}, "high"),
        ("{from: a, map: {P1: critical}}", {"a": "P9"}, "P9"),
        ("{from: a, map: {P1: critical}, default: low}", {"a": "P9"}, "low"),
        ("{from: a, map: {P1: critical}, default: low}", {}, "low"),
        ("{from: a, map: {P1: ''}}", {"a": "P1"}, ""),
        ("a", {"a": ""}, ""),
        ("a", {"a": None}, ""),
    ],
)
def test_a_label_is_what_its_expression_finds(pick: str, document: dict[str, Any], label: str) -> None:
    alert = one(
        mapping(f"labels: {{fixed: {{value: x}}, label: {json.dumps(pick) if pick[0] != '{' else pick}}}"), document
    )
    assert alert.labels.get("label", "") == label


def test_each_alert_of_a_list_is_asked_and_can_ask_the_whole_body() -> None:
    source = mapping("alerts: checks[?state != 'ok']\nlabels: {check: name, host: body().host}")
    document = {"host": "db-1", "checks": [{"name": "a"}, {"name": "b", "state": "ok"}, {"name": "c"}]}
    assert [alert.labels for alert in reading(source, document).alerts] == [
        {"check": "a", "host": "db-1"},
        {"check": "c", "host": "db-1"},
    ]


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        ({"a": 1, "b": {"c": "x", "d": {"e": True}}}, {"a": "1", "b_c": "x", "b_d_e": "true"}),
        ([{"name": "a", "value": "x"}, {"Name": "b", "Value": "y"}], {"a": "x", "b": "y"}),
        ([{"key": "a", "value": 1}, "no pair", {"value": "without a name"}], {"a": "1"}),
        ({"tags": [{"key": "a", "value": "x"}], "list": [1, 2]}, {"tags_a": "x", "list": "[1, 2]"}),
        ({"alertname": "the explicit one wins"}, {}),
        ("a text", {}),
        (None, {}),
    ],
)
def test_labels_can_come_from_an_object_or_a_list_of_names_and_values(found: object, labels: dict[str, str]) -> None:
    source = mapping("labels: {alertname: {value: Broken}}\nlabels_from: tags")
    assert one(source, {"tags": found}).labels == {"alertname": "Broken", **labels}


def test_annotations_can_come_from_an_object_too() -> None:
    source = mapping("labels: {alertname: title}\nannotations: {summary: text}\nannotations_from: more")
    sent = {"title": "x", "text": "ours", "more": {"summary": "theirs", "value": 1.5}}
    assert one(source, sent).annotations == {"summary": "ours", "value": "1.5"}


STATUS = "labels: {alertname: title}\nstatus: {from: state, firing: [alarm, 1], resolved: [OK], ignored: [unknown]"


@pytest.mark.parametrize(
    ("status", "state", "expected"),
    [
        (STATUS + "}", "alarm", "firing"),
        (STATUS + "}", "ALARM", "firing"),
        (STATUS + "}", 1, "firing"),
        (STATUS + "}", "ok", "resolved"),
        (STATUS + "}", "unknown", "ignored"),
        (STATUS + "}", None, "firing"),
        (STATUS + "}", "new", "unknown_status"),
        (STATUS + ", default: ignored}", "new", "ignored"),
        (STATUS + ", default: resolved}", None, "resolved"),
        ("labels: {alertname: title}\nstatus: state", "Resolved", "resolved"),
        ("labels: {alertname: title}\nstatus: state", "gone", "unknown_status"),
        ("labels: {alertname: title}", "gone", "firing"),
    ],
)
def test_a_status_means_what_the_mapping_says(status: str, state: object, expected: str) -> None:
    found = reading(mapping(status), {"title": "x", "state": state})
    told = [*(alert.status.value for alert in found.alerts), *(bad.reason for bad in found.rejected)]
    assert (told or ["ignored"]) == [expected]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"),
        ("2026-11-23 10:00:00+01:00", "2026-11-23T09:00:00Z"),
        ("2026-11-23 09:00:00", "2026-11-23T09:00:00Z"),
        (1795424400, "2026-11-23T09:00:00Z"),
        ("1795424400", "2026-11-23T09:00:00Z"),
        (1795424400.5, "2026-11-23T09:00:00.500000Z"),
        (1795424400500, "2026-11-23T09:00:00.500000Z"),
        (1795424400500000, "2026-11-23T09:00:00.500000Z"),
        (0, None),
        ("soon", None),
        (99999999999999999999, None),
    ],
)
def test_an_instant_is_rfc_3339_or_counted_since_1970(sent: object, expected: str | None) -> None:
    alert = one(mapping("labels: {alertname: title}\nstarts_at: since"), {"title": "x", "since": sent})
    assert alert.starts_at == (None if expected is None else at(expected))
    assert bool(alert.mended) == (expected is None)


def test_identity_names_the_labels_that_say_which_alert_it_is() -> None:
    source = mapping("labels: {id: id, alertname: title}\nidentity: [id]\nstatus: state")
    first = one(source, {"id": 7, "title": "Slow"})
    other = one(source, {"id": 8, "title": "Slow"})
    ended = one(source, {"id": 7, "state": "resolved"})
    assert first.fingerprint == ended.fingerprint != other.fingerprint
    (bad,) = reading(source, {"title": "Slow"}).rejected
    assert (bad.reason, bad.text) == ("no_identity", "labels: expected at least one of id, got none of them")


def test_an_identity_holds_where_a_text_looks_like_an_escape() -> None:
    source = mapping("labels: {id: id, alertname: title}\nidentity: [id]")
    assert one(source, {"id": 7, "title": "C:\\u0000"}).fingerprint == one(source, {"id": 7}).fingerprint


# ---------------------------------------------------------------- what may come


def test_one_unreadable_alert_never_costs_the_others() -> None:
    source = mapping("alerts: list\nlabels:\n  alertname: join('-', names)")
    found = reading(source, {"list": [{"names": ["a", "b"]}, 7, {"names": 5}, {}, {"names": ["c"]}]})
    assert [alert.labels["alertname"] for alert in found.alerts] == ["a-b", "c"]
    assert [bad.reason for bad in found.rejected] == ["not_an_object", "mapping_failed", "mapping_failed"]
    assert "labels.alertname: join('-', names): In function join()" in found.rejected[1].text
    assert json.loads(found.rejected[1].raw) == {"names": 5}


def test_an_annotation_that_cannot_be_evaluated_costs_itself_alone() -> None:
    source = mapping("labels: {alertname: title}\nannotations: {summary: sum(numbers), more: title}")
    alert = one(source, {"title": "x", "numbers": "none"})
    assert alert.annotations == {"more": "x"}
    assert alert.mended[0].startswith("annotations.summary: sum(numbers): In function sum()")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"", 400, "got no readable JSON"),
        (b'{"list": [', 400, "got no readable JSON"),
        (b"[" * 100_000, 400, "got no readable JSON"),
        (b"[]", 400, "expected alerts at list, as sources/tool.yaml says, got nothing"),
        (b'{"list": 5}', 400, "got a number"),
        (json.dumps({"list": [{}] * (MOST_ALERTS + 1)}).encode(), 413, "at most 10,000 alerts"),
    ],
)
def test_a_body_without_alerts_says_what_was_expected(body: bytes, status: int, expected: str) -> None:
    with pytest.raises(PayloadError) as caught:
        reading(mapping("alerts: list\nlabels: {alertname: name}"), body)
    assert (caught.value.status, expected in str(caught.value)) == (status, True), str(caught.value)


def test_a_byte_order_mark_and_broken_text_are_read() -> None:
    source = mapping("labels: {alertname: name}")
    assert one(source, b'\xef\xbb\xbf{"name": "caf\xe9"}').labels == {"alertname": "caf\ufffd"}


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_json_has_not_is_nothing_and_never_a_name(number: str) -> None:
    source = mapping("labels: {alertname: name, load: load}")
    assert one(source, f'{{"name": "Load", "load": {number}}}'.encode()).labels == {"alertname": "Load"}
    assert [bad.reason for bad in reading(source, f'{{"name": {number}}}'.encode()).rejected] == ["no_labels"]


def test_the_limits_are_those_of_every_source() -> None:
    source = mapping("labels_from: labels\nannotations: {summary: text}")
    many = {"labels": {f"l{n}": "x" for n in range(MOST_LABELS + 5)}}
    long = {"labels": {"a": "x" * (LONGEST_VALUE + 1)}}
    assert [bad.reason for sent in (many, long) for bad in reading(source, sent).rejected] == [
        "too_many_labels",
        "label_too_long",
    ]
    cut = one(source, {"labels": {"a": "x"}, "text": "y" * (LONGEST_VALUE + 1)})
    assert len(cut.annotations["summary"]) == LONGEST_VALUE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abnamevlu", max_size=5), inner, max_size=4),
    max_leaves=20,
)
EVERYTHING = mapping(
    """
alerts: not_null(a, @)
status: {from: b, firing: [x], resolved: ['true'], ignored: ['false'], default: firing}
labels: {name: name, all: to_string(@), sum: sum(values(a)), max: 'max_by(b, &a)', fixed: {value: x}}
labels_from: a
identity: [name, all, sum]
annotations: {sorted: sort(b), whole: body()}
annotations_from: '@'
at: value
generator_url: b[0].a
"""
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_is_alerts_or_refused_and_what_is_kept_reads_again(document: object) -> None:
    try:
        found = reading(EVERYTHING, document)
    except PayloadError:
        return
    for alert in found.alerts:
        (again,) = alertmanager.read("tool", b'{"alerts":[' + alert.raw + b"]}").alerts
        assert (again.fingerprint, again.digest, again.labels) == (alert.fingerprint, alert.digest, alert.labels)
    for bad in found.rejected:
        assert bad.reason.isidentifier()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_alerts_or_refused(body: bytes) -> None:
    with suppress(PayloadError):
        found = reading(PRESETS["generic"], body)
        assert len(found.alerts) + len(found.rejected) <= len(body)


# ---------------------------------------------------------------- mistakes in a mapping

LABELS = "labels: {alertname: title}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: expected a key labels or labels_from, got none"]),
        ("labels: {a: 'b.'}", ["1:13: labels.a: expected a JMESPath expression (character 3: Expecting: "]),
        ("labels:\n  a: 'b['", ["2:6: labels.a: expected a JMESPath expression (it ends too early), got b["]),
        ("labels: {a: 'b c'}", ["1:13: labels.a: expected a JMESPath expression (character 3: Unexpected token: c)"]),
        ("labels: {a: '$.b'}", ["1:13: labels.a: expected a JMESPath expression (character 1: Unknown token $)"]),
        ("labels: {a: 5}", ["1:13: labels.a: expected a JMESPath expression, got 5; YAML takes it for a number"]),
        ("labels: {a: ''}", ['1:13: labels.a: expected a JMESPath expression, got empty text ("")']),
        ("labels: {a: [b]}", ["1:13: labels.a: expected a JMESPath expression, got a list"]),
        ("labels: {a: 'lenght(b)'}", ["1:13: labels.a: expected a function of JMESPath, got lenght(); did you mean"]),
        ("labels: {a: 'b[?x(@)]'}", ["1:13: labels.a: expected a function of JMESPath, got x()"]),
        ("labels: {a: join(b)}", ["1:13: labels.a: expected 2 arguments of join(), got 1"]),
        ("labels: {a: body(b)}", ["1:13: labels.a: expected 0 arguments of body(), got 1"]),
        ("labels: {'': b}", ['1:10: labels."": expected a name as key, got an empty one']),
        (
            "labels: {a: {value: ''}}",
            ['1:21: labels.a.value: expected text that is always the same, got empty text ("")'],
        ),
        (
            "labels: {a: {from: b, map: {}}}",
            ["1:28: labels.a.map: expected at least one of the sender's words with yours, got an empty mapping"],
        ),
        (
            "labels: {a: b}\nidentity: []",
            [
                "2:11: identity: expected at least one label, got an empty list; "
                "leave the key out where all of them say which alert it is"
            ],
        ),
        (f"labels: {{a: '{'b' * 1001}'}}", ["1:13: labels.a: expected a JMESPath expression of at most 1,000"]),
        (f"labels: {{a: '{'(' * 499}b{')' * 499}'}}", ["1:13: labels.a: expected a JMESPath expression that is not"]),
        (f"labels: {{a: '{'|'.join(['[@,@]'] * 7)}'}}", ["1:13: labels.a: expected at most 6 lists and objects ("]),
        ("labels: {a: {}}", ["1:13: labels.a: expected a key from or value, got none"]),
        ("labels: {a: {from: b, value: c}}", ["1:30: labels.a.value: expected no other key beside value"]),
        ("labels: {a: {value: c, map: {d: e}}}", ["1:21: labels.a.value: expected no other key beside value"]),
        ("labels: {a: {fron: b}}", ["1:13: labels.a: ", "1:14: labels.a.fron: expected from, map, default or value"]),
        (LABELS + "lables_from: x", ["2:1: lables_from: expected protocol, topics"]),
        (LABELS + "status: {from: s, firing: [a, A]}", ["2:31: status.firing[1]: expected every status once, got a"]),
        (LABELS + "status: {firing: [a]}", ["2:9: status: expected a key from, got none"]),
        (LABELS + "status: {from: s, default: on}", ["2:28: status.default: expected firing, resolved or ignored"]),
        (LABELS + "identity: [alertnam]", ["2:11: identity: expected names of labels, got alertnam; did you mean"]),
        (LABELS + "at: a\nends_at: b", ["2:5: at: expected either at, or starts_at and ends_at"]),
        (LABELS + "protocol: snss", ["2:11: protocol: expected plain, sns or pagerduty, got snss; did you mean sns?"]),
        (LABELS + "topics: ['arn:aws:sns:eu-west-1:123456789012:a']", ["2:9: topics: expected protocol: sns"]),
        (LABELS + "protocol: sns\ntopics: [alarms]", ["3:10: topics[0]: expected the ARN of an SNS topic"]),
    ],
)
def test_every_mistake_of_a_mapping_is_told_at_its_place(text: str, expected: list[str]) -> None:
    told = sorted(str(finding) for finding in findings(text))
    assert len(told) == len(expected), told
    for line, beginning in zip(told, expected, strict=True):
        assert line.startswith(f"sources/tool.yaml:{beginning}"), told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Tool", "expected a file name of at most 41 lower-case letters"),
        ("a" * 42, "expected a file name"),
        ("alertmanager", "expected another file name: alertmanager is built in"),
        ("triaged", "expected another file name: triaged is built in"),
    ],
)
def test_a_file_is_called_as_its_source_may_be(name: str, expected: str) -> None:
    (found,) = findings(LABELS, name)
    assert found.message.startswith(expected)


def test_mistakes_of_mappings_come_together_with_those_of_other_files() -> None:
    with pytest.raises(ConfigError) as caught:
        read({**MINIMAL, "triage.yaml": "rules: 1\n", "sources/a.yaml": "x: 1", "sources/b.yaml": "labels: [\n"})
    assert {"triage.yaml", "sources/a.yaml", "sources/b.yaml"} <= {finding.file for finding in caught.value.findings}


def test_a_folder_of_sources_is_read_and_counts_in_the_hash(tmp_path: Path) -> None:
    for name, text in MINIMAL.items():
        (tmp_path / name).write_text(text)
    without = load(tmp_path)
    (tmp_path / "sources").mkdir()
    for name in ("tool.yaml", "other.yml", "README.md", ".hidden.yaml"):
        (tmp_path / "sources" / name).write_text(LABELS if name.endswith("yaml") else "no YAML: [")
    found = load(tmp_path)
    assert (list(without.sources), list(found.sources)) == ([], ["tool"])
    assert found.files["sources/tool.yaml"] == LABELS
    assert without.hash != found.hash == read(found.files).hash


def test_there_is_an_end_to_how_many_sources_are_read(tmp_path: Path) -> None:
    for name, text in MINIMAL.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "sources").mkdir()
    for number in range(101):
        (tmp_path / "sources" / f"s{number}.yaml").write_text(LABELS)
    with pytest.raises(ConfigError, match="sources:1:1: expected at most 100 files, got 101"):
        load(tmp_path)


# ---------------------------------------------------------------- SNS and PagerDuty

TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"


def handshake(**changes: Any) -> sns.Handshake:
    sent = json.loads((FIXTURES / "sns-subscription.json").read_text())
    found = sns.handshake("cloudwatch", {**sent, **changes})
    assert found is not None
    return found


def test_a_subscription_to_a_topic_of_the_mapping_is_confirmed() -> None:
    asked = handshake()
    assert (asked.topic, asked.ended, asked.refusal(frozenset({TOPIC}))) == (TOPIC, False, "")
    assert "expected a topic" in asked.refusal(frozenset({TOPIC + "2"}))
    assert "expected a topic" in asked.refusal(frozenset())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-west-2.amazonaws.com.evil.example/",
        "https://sns.us-west-2.amazonaws.com:8443/",
        "https://user@sns.us-west-2.amazonaws.com/",
        "https://evil.example/sns.us-west-2.amazonaws.com/",
        "https://evil.example#sns.us-west-2.amazonaws.com",
        "https://s3.us-west-2.amazonaws.com/",
        "https://sns.us-west-2.evil.amazonaws.com/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1",
    ],
)
def test_no_other_address_than_that_of_sns_is_ever_fetched(url: str) -> None:
    assert handshake(SubscribeURL=url).refusal(frozenset({TOPIC})) != ""


def test_the_address_in_china_is_one_of_sns() -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription"
    assert handshake(SubscribeURL=url).refusal(frozenset({TOPIC})) == ""


def test_a_raw_delivery_of_sns_is_read_like_one_in_an_envelope() -> None:
    whole = json.loads((FIXTURES / "cloudwatch-alarm.json").read_text())
    enveloped, raw = one(PRESETS["cloudwatch"], whole), one(PRESETS["cloudwatch"], whole["Message"].encode())
    assert enveloped == raw


def test_a_trigger_without_a_dedup_key_has_one_that_follows_from_what_it_is_about() -> None:
    sent = json.loads((FIXTURES / "pagerduty-trigger.json").read_text())
    del sent["dedup_key"]
    later = {
        **sent,
        "payload": {**sent["payload"], "timestamp": "2015-07-17T09:42:58.315+0000", "severity": "critical"},
    }
    other = {**sent, "payload": {**sent["payload"], "source": "elsewhere"}}
    keys = [pagerduty.event(event)["dedup_key"] for event in (sent, later, other)]
    assert keys[0] == keys[1] != keys[2]
    assert one(PRESETS["pagerduty"], sent).labels["dedup_key"] == keys[0]


def test_a_routing_key_is_never_kept() -> None:
    sent = json.loads((FIXTURES / "pagerduty-trigger.json").read_text())
    assert b"samplekeyhere" in one(PRESETS["pagerduty"], sent).raw, "that is the dedup_key"
    secret = {**sent, "routing_key": "top-secret"}
    assert b"top-secret" not in one(PRESETS["pagerduty"], secret).raw
    (bad,) = reading(PRESETS["pagerduty"], {"routing_key": "top-secret", "event_action": "snooze"}).rejected
    assert (bad.reason, json.loads(bad.raw)) == ("unknown_status", {"event_action": "snooze"})


def test_an_event_that_is_no_object_is_refused() -> None:
    with pytest.raises(PayloadError, match="expected an event as a JSON object, got a list"):
        reading(PRESETS["pagerduty"], [])


# ---------------------------------------------------------------- the documentation

DOCUMENT = (ROOT / "docs" / "sources.md").read_text()


@pytest.mark.parametrize("key", [*sources.KEYS, *sources.PICK_KEYS, *sources.STATUS_KEYS, *Protocol, BODY])
def test_every_key_of_a_mapping_is_documented(key: str) -> None:
    assert re.search(rf"`{key}(?:\(\))?`", DOCUMENT)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_documented_with_its_path(name: str) -> None:
    assert re.search(rf"^\| \[`{name}`\]\(#[a-z-]+\) \| .+ \| `/api/v1/alerts/{name}[`/]", DOCUMENT, re.MULTILINE)


def test_the_mapping_that_the_documentation_writes_reads_the_body_that_it_shows() -> None:
    (document,) = re.findall(r"^```json\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    (text,) = re.findall(r"^`sources/backups\.yaml`:\n\n```yaml\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    source = mapping(text, "backups")
    alert = one(source, json.loads(document))
    labels = {"alertname": "BackupFailed", "job": "nightly", "instance": "db-1", "severity": "warning"}
    assert alert.labels == {**labels, "service": "postgres-main"}
    assert (alert.annotations, alert.starts_at) == ({"summary": "disk full"}, at("2026-11-23T09:00:00Z"))
    ended = one(source, {"host": "db-1", "jobs": [{"job": "nightly", "state": "ok", "when": 1795424700}]})
    assert (ended.fingerprint, ended.ends_at) == (alert.fingerprint, at("2026-11-23T09:05:00Z"))
