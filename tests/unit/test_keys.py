"""Fingerprints and incident keys: stable, unambiguous, and never one for alerts that have nothing in common."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import assume, given
from hypothesis import strategies as st

from triaged.core.keys import fingerprint, incident_key
from triaged.core.model import Alert, AlertStatus, Category, Key

LABELS = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=4)


def alert(labels: Mapping[str, str], *, source: str = "alertmanager") -> Alert:
    return Alert(
        fingerprint=fingerprint(source, labels),
        source=source,
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={},
        starts_at=None,
        ends_at=None,
        generator_url="",
        digest=b"",
        raw=b"",
    )


def key(*names: str, of: Mapping[str, str], service: str = "", source: str = "alertmanager") -> Key:
    return incident_key(
        names, alert(of, source=source), service=service, team="payments", category=Category.DEGRADATION
    )


def test_a_fingerprint_and_a_key_are_the_same_in_every_release() -> None:
    labels = {"alertname": "HighErrorRate", "pod": "a"}

    assert fingerprint("alertmanager", labels) == "f183e4a3c0e39d306793b6a1c2a56aad"
    assert key("alertname", "cluster", of=labels).digest == "v1:e6b51a7506b897e25bb841bbf56da18f"


def test_the_order_of_labels_changes_no_fingerprint() -> None:
    assert fingerprint("a", {"x": "1", "y": "2"}) == fingerprint("a", {"y": "2", "x": "1"})


@given(st.text(max_size=4), LABELS, st.text(max_size=4), LABELS)
def test_different_alerts_have_different_fingerprints(
    source: str, labels: dict[str, str], other_source: str, other: dict[str, str]
) -> None:
    assume((source, labels) != (other_source, other))

    assert fingerprint(source, labels) != fingerprint(other_source, other)


def test_text_that_no_encoding_takes_still_has_a_fingerprint() -> None:
    assert fingerprint("a", {"x": "\ud800"}) != fingerprint("a", {"x": "\ud801"})


def test_a_key_holds_the_values_of_its_names_and_empty_ones_for_absent_labels() -> None:
    found = key("alertname", "cluster", of={"alertname": "DiskFull", "pod": "a"})

    assert found.pairs == (("alertname", "DiskFull"), ("cluster", ""))
    assert found == key("alertname", "cluster", of={"alertname": "DiskFull", "pod": "b", "cluster": ""})


def test_the_order_of_names_changes_no_digest() -> None:
    labels = {"alertname": "DiskFull", "cluster": "eu"}

    assert key("alertname", "cluster", of=labels).digest == key("cluster", "alertname", of=labels).digest


def test_a_name_more_is_another_key_even_where_its_label_is_absent() -> None:
    labels = {"alertname": "DiskFull"}

    assert key("alertname", of=labels).digest != key("alertname", "cluster", of=labels).digest


def test_service_team_category_and_source_are_the_verdicts_own() -> None:
    labels = {"service": "scraped", "team": "label", "category": "label", "source": "label"}

    assert key("service", "team", "category", "source", of=labels, service="checkout", source="grafana").pairs == (
        ("service", "checkout"),
        ("team", "payments"),
        ("category", "degradation"),
        ("source", "grafana"),
    )


def test_a_service_that_the_catalogue_does_not_know_falls_back_to_the_label() -> None:
    assert key("service", of={"service": "scraped"}).pairs == (("service", "scraped"),)


def test_alerts_without_any_value_of_the_key_share_none() -> None:
    one, other = key("alertname", of={"pod": "a"}), key("alertname", of={"pod": "b"})

    assert one.pairs == (("fingerprint", fingerprint("alertmanager", {"pod": "a"})),)
    assert one.digest != other.digest
    assert one == key("alertname", of={"pod": "a"})


@given(LABELS, LABELS)
def test_keys_are_equal_exactly_where_the_values_are(labels: dict[str, str], other: dict[str, str]) -> None:
    names = ("", "a", "b")
    values, others = ([of.get(name, "") for name in names] for of in (labels, other))
    assume(any(values) or any(others))

    assert (key(*names, of=labels).digest == key(*names, of=other).digest) == (values == others)
