"""What people write down while they work on an incident: who has it, what they found, what others are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from building import incident, minutes, verdict
from playing import (
    ANN,
    BOB,
    POLICY,
    Play,
    Played,
    ack,
    close,
    comments,
    entries,
    fixed,
    opened,
    pause,
    publishes,
    tallies,
    told,
    verifying,
)
from triaged.core.draft import Context
from triaged.core.effects import Audience, CommentKind, NoticeKind, Notify
from triaged.core.events import (
    Act,
    Assigned,
    Expected,
    Noted,
    RoleGiven,
    Unacknowledged,
    Updated,
    WorkedAround,
)
from triaged.core.lifecycle import decide
from triaged.core.model import CloseReason, DeadlineKind, Entry, Fold, Outcome, Role, Severity, State
from triaged.core.record import missing
from triaged.core.working import FURTHEST
from triaged.errors import ActError

HOURLY = replace(
    POLICY, severities={s: replace(one, update_every=timedelta(hours=1)) for s, one in POLICY.severities.items()}
)
WORK: tuple[Act, ...] = (
    Unacknowledged(actor=ANN),
    Assigned(actor=ANN, to="bob"),
    RoleGiven(actor=ANN, role=Role.SCRIBE, person="bob"),
    Updated(actor=ANN, text="We look."),
    Expected(actor=ANN, lasting=timedelta(hours=1)),
    WorkedAround(actor=ANN, text="Restart it."),
)


def acknowledged(severity: Severity = Severity.SEV2) -> Play:
    play = opened(severity)
    play.act(ack())
    return play


def published(played: Iterable[Played]) -> list[Notify]:
    effects = (effect for one in played for effect in one.decision.effects)
    return [one for one in effects if isinstance(one, Notify) and one.kind is NoticeKind.UPDATE]


# ---------------------------------------------------------------- unack


def test_who_gives_it_back_leaves_it_open_with_the_response_that_was_given() -> None:
    play = acknowledged()
    play.to(30)
    back = play.act(Unacknowledged(actor=ANN, reason="my shift is over"))
    now = play.incident
    assert (now.state, now.acknowledged_by, now.acknowledged_until) == (State.OPEN, None, None)
    assert (now.response_outcome, now.acknowledged_at) == (Outcome.MET, minutes(5))
    assert DeadlineKind.RESPONSE not in play.due()
    assert told(back, Entry.ACKNOWLEDGEMENT_ENDED) == ["ann gives it back: my shift is over"]
    assert tallies(back) == []


def test_somebody_else_may_end_an_acknowledgement() -> None:
    play = acknowledged()
    back = play.act(Unacknowledged(actor=BOB))
    assert told(back) == ["bob ends the acknowledgement by ann"]


def test_an_acknowledgement_given_back_while_it_is_verified_is_none_when_it_fires_again() -> None:
    play = acknowledged()
    play.resolve()
    play.act(Unacknowledged(actor=ANN))
    assert [play.incident.state] == [State.VERIFYING]
    play.fire()
    assert [play.incident.state] == [State.OPEN]


def test_a_pause_ends_with_the_acknowledgement_of_whoever_gives_it_back() -> None:
    play = acknowledged()
    play.act(pause(60))
    play.act(Unacknowledged(actor=ANN))
    assert play.incident.process.paused_at is None


@pytest.mark.parametrize("play", [opened(), verifying()], ids=["open", "verifying"])
def test_what_nobody_has_cannot_be_given_back(play: Play) -> None:
    with pytest.raises(ActError, match="expected one that somebody has acknowledged"):
        play.act(Unacknowledged(actor=ANN))


# ---------------------------------------------------------------- assign, role


def test_assigning_is_no_acknowledgement() -> None:
    play = opened()
    assigned = play.act(Assigned(actor=ANN, to="bob", reason="he knows it"))
    assert (play.incident.process.owner, play.incident.state) == ("bob", State.OPEN)
    assert told(assigned) == ["assigned to bob by ann: he knows it"]
    assert publishes(assigned)


def test_an_incident_may_go_on_to_somebody_else_and_to_nobody() -> None:
    play = opened()
    play.act(Assigned(actor=ANN, to="bob"))
    assert told(play.act(Assigned(actor=ANN, to="eve"))) == ["assigned to eve (was bob) by ann"]
    assert told(play.act(Assigned(actor=ANN, to="eve"))) == ["assigned to eve by ann"]
    assert told(play.act(Assigned(actor=ANN, to=""))) == ["assigned to nobody (was eve) by ann"]
    assert play.incident.process.owner == ""


def test_roles_stand_in_one_order_whoever_got_one_first() -> None:
    play = opened()
    play.act(RoleGiven(actor=ANN, role=Role.SCRIBE, person="eve"))
    given_ = play.act(RoleGiven(actor=ANN, role=Role.COMMANDER, person="bob"))
    assert list(play.incident.process.roles.items()) == [("commander", "bob"), ("scribe", "eve")]
    assert told(given_) == ["incident commander: bob, says ann"]


def test_a_role_may_go_on_and_be_given_up() -> None:
    play = opened()
    play.act(RoleGiven(actor=ANN, role=Role.COMMANDER, person="bob"))
    assert told(play.act(RoleGiven(actor=ANN, role=Role.COMMANDER, person="eve"))) == [
        "incident commander: eve (was bob), says ann"
    ]
    assert told(play.act(RoleGiven(actor=ANN, role=Role.COMMANDER, person=""))) == [
        "incident commander: nobody (was eve), says ann"
    ]
    assert play.incident.process.roles == {}


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (
            Assigned(actor=ANN, to="anne"),
            "to: expected one of the people or teams of services.yaml, got 'anne'; did you mean ann?",
        ),
        (
            RoleGiven(actor=ANN, role=Role.SCRIBE, person="payments"),
            "person: expected one of the people of services.yaml, got 'payments'",
        ),
    ],
)
def test_somebody_whom_the_rules_do_not_know_is_refused_with_the_nearest_name(act: Act, said: str) -> None:
    context = Context(policy=POLICY, people=("ann", "bob"), teams=("payments",))
    with pytest.raises(ActError) as refused:
        decide(opened().incident, act, context, minutes(6))
    assert str(refused.value) == said


@pytest.mark.parametrize("to", ["bob", "payments", ""])
def test_people_teams_and_nobody_are_known(to: str) -> None:
    context = Context(policy=POLICY, people=("ann", "bob"), teams=("payments",))
    decision = decide(opened().incident, Assigned(actor=ANN, to=to), context, minutes(6))
    assert decision.incident.process.owner == to


# ---------------------------------------------------------------- note


@pytest.mark.parametrize(
    ("text", "entry", "shown"),
    [
        ("The disk is full.", Entry.NOTE, "The disk is full."),
        ("decision: roll back", Entry.DECISION, "decision: roll back"),
        ("Hypothesis :  the cache", Entry.HYPOTHESIS, "hypothesis: the cache"),
        ("the decision: later", Entry.NOTE, "the decision: later"),
    ],
)
def test_a_note_is_what_its_first_word_says(text: str, entry: Entry, shown: str) -> None:
    noted = opened().act(Noted(actor=ANN, text=text))
    assert [(e.entry, e.text, e.by) for e in noted[0].decision.timeline] == [(entry, shown, "ann")]


@pytest.mark.parametrize("text", ["", "  ", "decision: "])
def test_a_note_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(ActError, match="expected what is to be noted"):
        opened().act(Noted(actor=ANN, text=text))


def test_notes_can_be_written_after_the_end_and_change_nothing_else() -> None:
    play = acknowledged()
    play.act(close())
    before = play.incident
    noted = play.act(Noted(actor=ANN, text="hypothesis: it was the release"))
    assert (play.incident, entries(noted)) == (before, [Entry.HYPOTHESIS])


def test_whoever_writes_something_down_has_not_forgotten_it() -> None:
    play = acknowledged()
    play.to(100)
    play.act(Noted(actor=ANN, text="still at it"))
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(100 + 240)


# ---------------------------------------------------------------- update


def test_an_update_goes_to_stakeholders_the_team_the_issue_and_the_timeline() -> None:
    play = Play(HOURLY)
    play.fire(says=Severity.SEV2)
    play.to(10)
    played = play.act(
        Updated(
            actor=ANN,
            text="A bad release.",
            eta_in=timedelta(hours=2),
            status="Identified",
            impact="Half of the carts are empty.",
            next_steps="We roll back.",
        )
    )
    lines = [
        "A bad release.",
        "Status: Identified",
        "Impact: Half of the carts are empty.",
        "Next steps: We roll back.",
        "Expected to work again: 2026-11-23 05:10 UTC",
        "Next update: 2026-11-23 04:10 UTC",
    ]
    (notice,) = published(played)
    assert (notice.to, notice.audience, notice.key) == (("stakeholders", "team"), Audience.STAKEHOLDERS, "update:1")
    assert notice.text.splitlines() == lines
    assert comments(played) == [(CommentKind.UPDATE, "\n".join([f"Update by ann: {lines[0]}", *lines[1:]]))]
    assert told(played, Entry.UPDATE) == [f"update by ann: {' · '.join(lines)}"]
    update = play.incident.process.update
    assert update is not None
    assert (update.at, update.status, update.next_steps) == (minutes(10), "Identified", "We roll back.")


def test_what_is_not_known_is_said_to_be_so() -> None:
    (notice,) = published(opened().act(Updated(actor=ANN, text="We look.")))
    assert notice.text.splitlines() == [
        "We look.",
        "Status: Investigating",
        "Expected to work again: not known yet",
        "Next update: when there is news",
    ]


def test_status_impact_and_workaround_hold_until_others_are_said() -> None:
    play = opened()
    play.act(WorkedAround(actor=ANN, text="Reload the page."))
    play.act(Updated(actor=ANN, text="One.", status="Identified", impact="Slow.", next_steps="Look."))
    (notice,) = published(play.act(Updated(actor=ANN, text="Two.")))
    assert notice.text.splitlines()[1:4] == ["Status: Identified", "Impact: Slow.", "Workaround: Reload the page."]
    assert "Next steps" not in notice.text


def test_two_updates_at_one_instant_are_two() -> None:
    play = opened()
    played = [*play.act(Updated(actor=ANN, text="One.")), *play.act(Updated(actor=ANN, text="One."))]
    assert [one.key for one in published(played)] == ["update:1", "update:2"]
    assert len(comments(played)) == 2


def test_an_update_of_what_is_resolved_expects_nothing_more() -> None:
    play = verifying()
    play.to(60)
    (notice,) = published(play.act(Updated(actor=ANN, text="It was the disk.")))
    assert notice.text.splitlines() == ["It was the disk.", "Status: Resolved"]


def test_of_what_is_restricted_only_its_team_is_told() -> None:
    play = Play()
    play.fire(says=changed(verdict(severity=Severity.SEV2), restricted=True))
    played = play.act(Updated(actor=ANN, text="The key is revoked."))
    (notice,) = published(played)
    assert (notice.to, notice.audience) == (("team",), Audience.RESPONDERS)
    assert comments(played) == [(CommentKind.UPDATE, "Update: the incident's own page says more.")]


def test_an_update_of_nothing_is_refused() -> None:
    with pytest.raises(ActError, match="expected what stakeholders are told"):
        opened().act(Updated(actor=ANN, text=" "))


def test_the_daemon_invents_no_update() -> None:
    play = Play(HOURLY)
    play.fire(says=Severity.SEV1)
    play.to(1_000)
    play.resolve()
    play.to(2_000)
    assert published(play.played) == []


# ---------------------------------------------------------------- eta, workaround


def test_an_expectation_is_an_instant_a_span_or_nothing() -> None:
    play = opened()
    assert told(play.act(Expected(actor=ANN, at=minutes(90)))) == [
        "expected to work again at 2026-11-23 04:30 UTC, says ann"
    ]
    assert told(play.act(Expected(actor=ANN, lasting=timedelta(hours=2)))) == [
        "expected to work again at 2026-11-23 05:05 UTC (was 2026-11-23 04:30 UTC), says ann"
    ]
    assert told(play.act(Expected(actor=ANN))) == [
        "nobody knows yet when it works again (was 2026-11-23 05:05 UTC), says ann"
    ]
    assert play.incident.process.eta is None


@pytest.mark.parametrize(
    "act",
    [
        Expected(actor=ANN, at=minutes(5)),
        Expected(actor=ANN, at=minutes(5) + FURTHEST + timedelta(seconds=1)),
        Expected(actor=ANN, lasting=FURTHEST + timedelta(days=3_000_000)),
        Updated(actor=ANN, text="x", eta=minutes(4)),
    ],
)
def test_what_is_expected_lies_ahead_and_not_too_far(act: Act) -> None:
    with pytest.raises(ActError, match=r"^eta: expected "):
        opened().act(act)


def test_a_workaround_stands_until_another_or_none() -> None:
    play = opened()
    assert told(play.act(WorkedAround(actor=ANN, text="Reload."))) == ["workaround by ann: Reload."]
    assert play.incident.process.workaround == "Reload."
    assert told(play.act(WorkedAround(actor=ANN, text=""))) == ["no workaround, says ann"]
    assert play.incident.process.workaround == ""


# ---------------------------------------------------------------- where they are allowed


@pytest.mark.parametrize("act", WORK, ids=lambda act: type(act).__name__)
def test_what_is_closed_is_worked_on_no_more(act: Act) -> None:
    play = acknowledged()
    play.act(close())
    with pytest.raises(ActError, match="INC-1 is closed"):
        play.act(act)


@pytest.mark.parametrize("act", WORK, ids=lambda act: type(act).__name__)
def test_on_what_is_folded_work_is_done_on_its_parent(act: Act) -> None:
    folded = changed(incident(), parent=7, fold=Fold.MERGE)
    with pytest.raises(ActError, match="act on that"):
        decide(folded, act, Context(policy=POLICY), minutes(1))


def test_notes_can_be_written_on_what_is_folded() -> None:
    folded = changed(incident(), parent=7, fold=Fold.MERGE)
    decision = decide(folded, Noted(actor=ANN, text="same disk"), Context(policy=POLICY), minutes(1))
    assert [entry.text for entry in decision.timeline] == ["same disk"]


@given(st.lists(st.sampled_from([*WORK[1:], Noted(actor=BOB, text="x"), ack(), fixed()]), max_size=12))
def test_no_writing_down_moves_an_objective_or_the_state(acts: list[Act]) -> None:
    play = acknowledged()
    for act in acts:
        before = play.incident
        play.act(act)
        if act in WORK or isinstance(act, Noted):
            after = changed(play.incident, process=before.process, acknowledged_until=before.acknowledged_until)
            assert after == before


# ---------------------------------------------------------------- what is missing at the end


def test_a_sev2_that_is_over_misses_what_nobody_wrote_down() -> None:
    play = verifying()
    assert missing(play.incident) == ()
    play.to(60)
    assert missing(play.incident) == ("summary", "root_cause", "fix", "prevention")
    play.act(fixed(summary="Full disk.", fix=" "))
    assert missing(play.incident) == ("root_cause", "fix", "prevention")
    play.act(close(summary="Full disk.", root_cause="Logs.", fix="Rotated.", prevention="Alert at 80 %."))
    assert missing(play.incident) == ()


def test_nothing_is_missing_of_a_false_alarm_or_of_a_light_one() -> None:
    play = opened()
    play.act(close(CloseReason.FALSE_ALARM))
    assert missing(play.incident) == ()
    assert missing(opened(Severity.SEV3).act(close())[0].decision.incident) == ()
