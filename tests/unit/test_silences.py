"""What a silence matches and says, and what silences do to an incident."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import incident, minutes, policy
from triaged.core.draft import Context, Decision
from triaged.core.effects import LiftSilences, MakeSilence, PublishIssue
from triaged.core.events import (
    Acknowledged,
    CloseAsked,
    Event,
    Record,
    SeverityChosen,
    SilenceAsked,
    SilenceFailed,
    SilencesSeen,
    Unacknowledged,
)
from triaged.core.lifecycle import decide
from triaged.core.model import Actor, ActorKind, CloseReason, DeadlineKind, Incident, Outcome, Process, Severity, State
from triaged.core.objectives import standing
from triaged.core.silences import LONGEST, Reach, Silenced, comment, covering, creator, matchers
from triaged.core.suppression import Hush, Suppression, marked, operation_in
from triaged.errors import ActError

ANN = Actor(name="ann", kind=ActorKind.PERSON)
REACH = Reach(alertmanager="main", matchers={"alertname": "Slow", "cluster": ""})
NOW = minutes(10)
OPERATION = "0123456789abcdef" * 2


def quiet(fingerprint: str = "f", ref: str = "s", until: datetime | None = None, by: str = "eve") -> Suppression:
    ends_at = minutes(60) if until is None else until
    return Suppression(
        fingerprint=fingerprint, source="alertmanager", hush=Hush.SILENCE, ref=ref, by=by, ends_at=ends_at
    )


def decided(before: Incident, event: Event, reach: Reach | None = REACH, now: datetime = NOW) -> Decision:
    return decide(before, event, Context(policy=policy(), reach=reach), now)


def seen(before: Incident, *rows: Suppression, ended: tuple[str, ...] = (), now: datetime = NOW) -> Decision:
    return decided(before, SilencesSeen(rows=rows, ended=ended), now=now)


def texts(decision: Decision) -> list[str]:
    return [entry.text for entry in decision.timeline]


# ---------------------------------------------------------------- what it matches


def test_the_labels_of_the_key_are_matched_and_an_absent_one_by_nothing() -> None:
    pairs = (("alertname", "Slow"), ("namespace", ""))
    assert matchers(pairs, []) == {"alertname": "Slow", "namespace": ""}


def test_what_was_judged_is_matched_where_all_that_fires_has_it_as_a_label() -> None:
    pairs = (("service", "checkout"), ("cluster", "eu-1"))
    labels = {"service": "checkout", "cluster": "eu-1", "pod": "a"}
    assert matchers(pairs, [labels, {**labels, "pod": "b"}]) == {"service": "checkout", "cluster": "eu-1"}
    assert matchers((("service", ""), ("cluster", "eu-1")), [{"cluster": "eu-1"}]) == {"service": "", "cluster": "eu-1"}


def test_where_what_was_judged_is_no_label_what_fires_narrows_the_rest() -> None:
    """Else a silence of the checkout would be one of the whole cluster."""
    pairs = (("service", "checkout"), ("cluster", "eu-1"))
    firing = [{"cluster": "eu-1", "deployment": "web", "pod": pod} for pod in "ab"]
    assert matchers(pairs, firing) == {"cluster": "eu-1", "deployment": "web"}
    assert matchers(pairs, []) == {}
    assert matchers((("team", "shop"),), [{"a": "1"}, {"a": "2"}]) == {}
    alone = {"alertname": "Slow", "pod": "a"}
    assert matchers((("fingerprint", "0" * 32),), [alone]) == alone


def test_what_would_match_every_alert_matches_none() -> None:
    assert matchers((("namespace", ""),), [{"alertname": "Slow"}]) == {}


@given(
    st.lists(st.tuples(st.sampled_from(["service", "cluster", "alertname", "team"]), st.text(max_size=3)), max_size=4),
    st.lists(st.dictionaries(st.sampled_from(["service", "cluster", "alertname"]), st.text(max_size=3)), max_size=4),
)
def test_a_judged_name_never_widens_what_fires(pairs: list[tuple[str, str]], firing: list[dict[str, str]]) -> None:
    found = matchers(pairs, firing)
    assert not found or any(found.values())
    for name in {"service", "team"} & found.keys():
        assert all(labels.get(name, "") == found[name] for labels in firing)


# ---------------------------------------------------------------- what it says


def test_the_comment_is_one_line_with_number_reason_and_name_and_its_mark_is_found_again() -> None:
    said = comment(7, " the\n deploy ", "ann")
    assert said == "INC-7: the deploy (by ann)"
    assert comment(7, "", "ann") == "INC-7 (by ann)"
    assert len(marked(comment(7, "r" * 1_000, "a" * 125), OPERATION)) < 500
    assert operation_in(marked(said, OPERATION)) == OPERATION
    assert operation_in("[triaged 0123]") == ""
    assert operation_in(marked(marked(said, "0" * 32), OPERATION)) == OPERATION
    assert operation_in(f"{marked('as in', OPERATION)} (by ann)") == ""
    assert comment(7, f" as in{marked('', OPERATION)}", "ann") == "INC-7: as in (by ann)"
    assert replace(quiet(), comment=marked(said, OPERATION)).operation == OPERATION
    assert replace(quiet(), comment=marked(said, OPERATION)).words.endswith(": INC-7: the deploy (by ann)")


@pytest.mark.parametrize(
    ("told", "name"), [("ann", "ann"), (" a\n b\x1b[1m ", "a b[1m"), ("\0\n", "somebody"), ("x" * 99, "x" * 60)]
)
def test_a_creator_is_named_on_one_line(told: str, name: str) -> None:
    assert creator(told) == name


# ---------------------------------------------------------------- what covers


def test_of_an_alert_the_longest_silence_counts_and_of_all_alerts_the_first_to_end() -> None:
    rows = [quiet("a", "s1", minutes(30)), quiet("a", "s2", minutes(90), "bob"), quiet("b", "s3", minutes(60), "cid")]
    assert covering(rows, 2, NOW) == Silenced(by="cid", until=minutes(60), refs=("s2", "s3"))
    assert covering(rows[:2], 1, NOW) == Silenced(by="bob", until=minutes(90), refs=("s2",))


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [quiet("a")],
        [quiet("a"), quiet("b", until=NOW)],
        [quiet("a"), replace(quiet("b"), ends_at=None)],
        [quiet("a"), replace(quiet("b"), hush=Hush.INHIBITION)],
    ],
)
def test_what_is_not_silenced_or_no_longer_or_for_nobody_knows_how_long_is_not_covered(rows: list[Suppression]) -> None:
    assert covering(rows, 2, NOW) is None
    assert covering(rows, 0, NOW) is None


# ---------------------------------------------------------------- the act


def test_the_act_asks_for_a_silence_and_tells_of_it() -> None:
    decision = decided(incident(), SilenceAsked(actor=ANN, lasting=timedelta(hours=2), reason="known"))
    wanted = MakeSilence(
        incident_id=12,
        source="alertmanager",
        matchers=REACH.matchers,
        by="ann",
        reason="known",
        ends_at=NOW + timedelta(hours=2),
    )
    assert decision.effects == (wanted, PublishIssue(incident_id=12))
    assert texts(decision) == [
        'ann silences alertname="Slow", cluster="" in Alertmanager main until 2026-11-23 05:10 UTC: known'
    ]
    assert decision.incident == incident()


def test_a_silence_of_no_length_lasts_an_hour_and_needs_no_reason() -> None:
    decision = decided(incident(), SilenceAsked(actor=ANN))
    (wanted, _) = decision.effects
    assert isinstance(wanted, MakeSilence)
    assert wanted.ends_at == NOW + timedelta(hours=1)
    assert texts(decision)[0].endswith(" UTC")


def test_whoever_silences_it_has_not_forgotten_it() -> None:
    taken = replace(incident(), state=State.ACKNOWLEDGED, acknowledged_by="bob", acknowledged_until=minutes(20))
    after = decided(taken, SilenceAsked(actor=ANN)).incident
    assert after.acknowledged_by == "bob"
    assert after.acknowledged_until is not None
    assert after.acknowledged_until > minutes(20)


@pytest.mark.parametrize(
    ("before", "asked", "reach", "said"),
    [
        (
            incident(state=State.RESOLVED, restored_at=NOW),
            SilenceAsked(actor=ANN),
            REACH,
            "INC-12 is resolved and cannot be silenced: expected one that is open, acknowledged, verifying",
        ),
        (
            incident(),
            SilenceAsked(actor=ANN, lasting=LONGEST + timedelta(minutes=1)),
            REACH,
            "expected a silence of at most 4 h, got 4 h 1 min",
        ),
        (
            incident(),
            SilenceAsked(actor=ANN, lasting=LONGEST + timedelta(seconds=1)),
            REACH,
            "expected a silence of at most 4 h, got 4 h 1 s",
        ),
        (
            incident(),
            SilenceAsked(actor=ANN),
            None,
            "INC-12 cannot be silenced: its alerts come from the source alertmanager, for which the configuration names"
            " no Alertmanager (alertmanagers)",
        ),
        (
            incident(),
            SilenceAsked(actor=ANN),
            replace(REACH, matchers={}),
            "INC-12 cannot be silenced: its key has no label by which Alertmanager main could tell its alerts from"
            " others",
        ),
    ],
)
def test_what_cannot_be_silenced_is_refused_with_the_reason(
    before: Incident, asked: SilenceAsked, reach: Reach | None, said: str
) -> None:
    with pytest.raises(ActError) as refused:
        decided(before, asked, reach)
    assert str(refused.value) == said


def test_in_verifying_it_may_be_silenced() -> None:
    before = incident(state=State.VERIFYING, firing=0, restored_at=NOW)
    assert isinstance(decided(before, SilenceAsked(actor=ANN)).effects[0], MakeSilence)


def test_a_close_removes_silences() -> None:
    close = CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record())
    assert LiftSilences(incident_id=12) in decided(incident(), close).effects


@pytest.mark.parametrize(
    ("lifting", "again", "text"),
    [
        (False, True, "its silence is not made in Alertmanager main, it is tried again: no answer"),
        (True, False, "its silence is not removed from Alertmanager main: no answer"),
    ],
)
def test_a_failure_is_told(lifting: bool, again: bool, text: str) -> None:
    event = SilenceFailed(alertmanager="main", why="no answer", lifting=lifting, again=again)
    decision = decided(incident(), event)
    assert texts(decision) == [text]
    assert decision.effects == (PublishIssue(incident_id=12),)


# ---------------------------------------------------------------- who has it


def acknowledged(before: Incident | None = None, *rows: Suppression) -> Incident:
    return seen(before or incident(), *(rows or (quiet(),))).incident


@pytest.mark.parametrize("severity", Severity)
def test_a_covering_silence_acknowledges_until_it_ends_whatever_the_severity(severity: Severity) -> None:
    decision = seen(incident(severity=severity, judged=severity), quiet())
    after = decision.incident
    assert (after.state, after.acknowledged_by, after.acknowledged_at) == (State.ACKNOWLEDGED, "eve", NOW)
    assert (after.covered, after.response_outcome) == (severity, Outcome.MET)
    ends = {deadline.kind: deadline.due_at for deadline in standing(after, policy())}
    assert ends[DeadlineKind.ACKNOWLEDGEMENT] == minutes(60)
    assert texts(decision)[-1] == (
        "acknowledged by eve, whose silence covers all that fires, until 2026-11-23 04:00 UTC"
    )
    assert decision.timeline[-1].by == "eve"


def test_the_same_silences_seen_again_change_nothing() -> None:
    before = acknowledged()
    decision = seen(before, quiet())
    assert (decision.incident, decision.timeline, decision.effects) == (before, (), ())


def test_what_is_not_wholly_covered_is_left_as_it_is() -> None:
    before = incident(alerts=2, firing=2)
    assert seen(before, quiet()).incident == before


@pytest.mark.parametrize(
    "before",
    [
        incident(state=State.ACKNOWLEDGED, acknowledged_by="bob", acknowledged_until=minutes(20)),
        incident(state=State.VERIFYING, firing=0, restored_at=NOW),
        incident(parent=3),
    ],
    ids=["a person's", "verifying", "folded"],
)
def test_a_silence_takes_nothing_from_a_person_and_nothing_that_is_not_open(before: Incident) -> None:
    assert seen(before, quiet()).incident == before
    assert seen(before, ended=("s",)).incident == before


def test_a_silence_of_another_length_is_followed() -> None:
    decision = seen(acknowledged(), quiet(until=minutes(90)))
    assert decision.incident.acknowledged_until == minutes(90)
    assert len(decision.timeline) == 1


def test_a_silence_in_place_of_another_with_the_same_end_and_name_is_not_told() -> None:
    decision = seen(acknowledged(), quiet(ref="t"))
    assert decision.incident.silences == ("t",)
    assert decision.timeline == ()


def test_an_alert_that_joins_and_is_not_silenced_leaves_the_acknowledgement() -> None:
    before = replace(acknowledged(), alerts=2, firing=2)
    assert seen(before, quiet()).incident == before


@pytest.mark.parametrize(
    ("rows", "ended"),
    [((quiet("f", "s"),), ("s",)), ((quiet("f", "other"),), ()), ((), ())],
    ids=["one of them ended", "they cover nothing that fires", "nothing is silenced"],
)
def test_the_acknowledgement_ends_with_the_silence(rows: tuple[Suppression, ...], ended: tuple[str, ...]) -> None:
    before = replace(acknowledged(), alerts=2, firing=2)
    decision = seen(before, *rows, ended=ended)
    after = decision.incident
    assert (after.state, after.acknowledged_by, after.by_silence) == (State.OPEN, None, False)
    assert texts(decision)[0] == "the acknowledgement by eve ended with the silence"
    assert PublishIssue(incident_id=12) in decision.effects


def test_what_is_still_silent_when_one_of_them_ends_may_acknowledge_it_later() -> None:
    rows = (quiet("a", "s1", minutes(30)), quiet("b", "s2", minutes(90), "bob"))
    before = acknowledged(incident(alerts=2, firing=2), *rows)
    ended = seen(before, rows[1], ended=("s1",)).incident
    assert ended.state is State.OPEN
    assert seen(replace(ended, firing=1), rows[1]).incident.acknowledged_by == "bob"


def test_voided_silences_acknowledge_no_more_but_a_new_one_does() -> None:
    spent = replace(incident(), process=Process(voided=("s",)))
    assert seen(spent, quiet()).incident == spent
    both = (quiet(), quiet("f", "t", minutes(40), "bob"))
    assert seen(spent, *both).incident.acknowledged_by == "bob"
    two = replace(spent, alerts=2, firing=2)
    assert seen(two, quiet(), quiet("g", "t", minutes(90), "bob")).incident.acknowledged_by == "eve"


def test_a_voided_silence_that_lasts_longer_takes_nothing_from_the_one_that_acknowledges() -> None:
    spent = replace(incident(), process=Process(voided=("s",)))
    taken = seen(spent, quiet(until=minutes(90)), quiet("f", "t", minutes(40), "bob")).incident
    assert (taken.acknowledged_by, taken.silences) == ("bob", ("t",))
    again = seen(taken, quiet(until=minutes(90)), quiet("f", "t", minutes(40), "bob")).incident
    assert again == taken
    assert seen(again, quiet(until=minutes(90)), ended=("t",)).incident.state is State.OPEN


def test_given_back_its_silences_are_voided_and_a_persons_own_acknowledgement_voids_none() -> None:
    given = decided(acknowledged(), Unacknowledged(actor=ANN)).incident
    assert (given.state, given.process.voided) == (State.OPEN, ("s",))
    theirs = decided(acknowledged(), Acknowledged(actor=ANN)).incident
    assert decided(theirs, Unacknowledged(actor=ANN)).incident.process.voided == ()


def test_a_person_takes_it_over_and_other_acts_do_not_make_it_last_longer() -> None:
    before = acknowledged()
    theirs = decided(before, Acknowledged(actor=ANN)).incident
    assert (theirs.acknowledged_by, theirs.by_silence) == ("ann", False)
    assert seen(theirs, ended=("s",)).incident == theirs
    for severity in Severity:
        chosen = decided(before, SeverityChosen(actor=ANN, severity=severity)).incident
        assert chosen.acknowledged_until == minutes(60)
