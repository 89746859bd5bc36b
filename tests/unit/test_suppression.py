"""What people read of silences and inhibitions, and what they change of an incident: nothing but its words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from building import incident, minutes, policy
from triaged.alertmanagers.quiet import quiet
from triaged.alertmanagers.wire import Answer, HeldAlert, Silence, SilenceStatus, Status
from triaged.core.draft import Context
from triaged.core.effects import PublishIssue
from triaged.core.events import AlertResolved, SuppressionsChanged
from triaged.core.lifecycle import decide
from triaged.core.suppression import Hush, Suppression

SILENCE = Suppression(fingerprint="f", source="alertmanager", hush=Hush.SILENCE, ref="s", by="ann")
INHIBITION = Suppression(fingerprint="f", source="alertmanager", hush=Hush.INHIBITION, ref="i", by="NodeDown")


def test_a_silence_tells_by_whom_until_when_and_why_as_far_as_that_is_known() -> None:
    whole = replace(SILENCE, ends_at=minutes(60), comment="planned\n  work ")
    assert SILENCE.words == "silenced by ann"
    assert whole.words.startswith("silenced by ann until ")
    assert whole.words.endswith(" UTC: planned work")
    assert whole.shortly == "silenced by ann"
    assert INHIBITION.words == INHIBITION.shortly == "inhibited by NodeDown"


def test_what_begins_and_what_ends_is_told_and_changes_nothing_else_of_the_incident() -> None:
    before = incident(alerts=1, firing=1)
    event = SuppressionsChanged(began=(SILENCE,), ended=(INHIBITION,))
    decision = decide(before, event, Context(policy=policy()), minutes(5))
    assert [entry.text for entry in decision.timeline] == ["silenced by ann", "no longer inhibited by NodeDown"]
    assert decision.incident == before
    assert decision.effects == (PublishIssue(incident_id=before.id),)


@pytest.mark.parametrize(("gone_from", "told"), [("main", ", no longer in Alertmanager main"), ("", "UTC")])
def test_an_end_says_where_the_alert_is_no_more(gone_from: str, told: str) -> None:
    event = AlertResolved(name="Slow", ended_at=minutes(3), gone_from=gone_from)
    decision = decide(incident(alerts=2, firing=2), event, Context(policy=policy()), minutes(5))
    assert decision.timeline[0].text.endswith(told)


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        (Silence(id="s", status=SilenceStatus(state="active"), createdBy="", endsAt="soon"), "silenced by somebody"),
        (Silence(id="other", status=SilenceStatus(state="active"), createdBy="bob"), "silenced by somebody"),
        (
            Silence(id="s", status=SilenceStatus(state="active"), createdBy="a\0n", endsAt="2026-11-23T10:00:00"),
            "silenced by a\ufffdn",
        ),
    ],
)
def test_a_silence_that_says_little_or_nonsense_is_told_all_the_same(silence: Silence, told: str) -> None:
    held = HeldAlert(labels={}, status=Status(state="suppressed", silencedBy=("s",)))
    answer = Answer(
        at=minutes(1), started_at=minutes(1) - timedelta(days=1), alerts=[held], silences={silence.id: silence}
    )
    assert [one.words for one in quiet("alertmanager", [answer], [("f", held)])] == [told]


def test_an_inhibition_by_an_alert_that_no_answer_holds_is_told_all_the_same() -> None:
    held = HeldAlert(labels={}, status=Status(state="suppressed", inhibitedBy=("gone", "nameless")))
    nameless = HeldAlert(labels={}, status=Status(state="active"), fingerprint="nameless")
    answer = Answer(at=minutes(1), started_at=minutes(0), alerts=[held, nameless], silences={})
    assert [one.words for one in quiet("alertmanager", [answer], [("f", held)])] == ["inhibited by another alert"] * 2
