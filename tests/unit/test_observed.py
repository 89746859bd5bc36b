"""What people did to an issue, found by comparing, and what an incident makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import incident, minutes
from playing import POLICY
from triaged.core.draft import Context
from triaged.core.events import (
    Acknowledged,
    ActionAsked,
    Assigned,
    CloseAsked,
    ClosedByBot,
    ReopenAsked,
    Said,
    SeverityChosen,
    Ticked,
    Undone,
)
from triaged.core.lifecycle import decide
from triaged.core.model import (
    ActionItem,
    ActionKind,
    Actor,
    ActorKind,
    CloseReason,
    Entry,
    Fold,
    Process,
    Severity,
    State,
)
from triaged.core.observed import Doer, Looked, Remark, Seen, asks_who, compare, is_news

NOW = minutes(60)
ONE = incident(state=State.OPEN, opened_at=minutes(0), severity=Severity.SEV2, judged=Severity.SEV2)
SEEN = Seen(closed=False, written=("severity: sev2", "team: shop"), shown=("severity: sev2",))
LOOKED = Looked(closed=False, labels=("Severity: Sev2", "team: shop"))
STALE = Doer(login="stale[bot]", bot=True)
CONTEXT = Context(policy=POLICY)
BOB = Actor(name="bob", kind=ActorKind.PERSON)


def names(login: str) -> str:
    return {"bob-acme": "bob"}.get(login, login)


def test_what_equals_what_was_written_is_no_news() -> None:
    assert not is_news(LOOKED, SEEN)
    assert compare(LOOKED, SEEN, ONE) == ()


TEXTS = st.lists(st.text(max_size=3))
LABELS = st.lists(st.sampled_from(["severity: sev1", "Severity: SEV3", "acknowledged", "team: x", "severity: sev9"]))


@given(labels=LABELS, ticks=TEXTS, closed=st.booleans(), assignees=TEXTS)
def test_what_was_seen_once_is_no_news_again(
    labels: list[str], ticks: list[str], closed: bool, assignees: list[str]
) -> None:
    looked = replace(
        LOOKED, labels=tuple(labels), ticks=tuple(ticks), closed=closed, assignees=tuple(assignees), closed_at=NOW
    )
    after = replace(
        SEEN, labels=looked.labels, ticks=looked.ticks, closed=closed, assignees=looked.assignees, closed_at=NOW
    )
    assert compare(looked, after, ONE) == ()
    assert not is_news(looked, after)


def test_a_label_of_a_severity_is_chosen_by_who_put_it_there() -> None:
    looked = replace(
        LOOKED,
        labels=("severity: sev2", "severity: SEV1", "severity: sev3"),
        doers={"labeled severity: sev1": Doer(login="bob-acme")},
    )
    assert asks_who(looked, SEEN)
    (chosen,) = compare(looked, SEEN, ONE, names)
    assert isinstance(chosen, SeverityChosen)
    assert (chosen.severity, chosen.actor.name) == (Severity.SEV1, "bob")
    assert compare(looked, SEEN, replace(ONE, severity=Severity.SEV1)) == ()
    assert compare(replace(looked, doers={"labeled severity: sev1": STALE}), SEEN, ONE) == ()


def test_the_label_acknowledged_acknowledges_what_nobody_has() -> None:
    looked = replace(LOOKED, labels=(*LOOKED.labels, "Acknowledged"))
    (taken,) = compare(looked, SEEN, ONE)
    assert isinstance(taken, Acknowledged)
    assert taken.actor.name == "somebody on the issue"
    assert compare(looked, SEEN, replace(ONE, acknowledged_by="eve")) == ()
    assert compare(replace(looked, doers={"labeled acknowledged": STALE}), SEEN, ONE) == ()


def test_an_assignment_acknowledges_and_says_who_owns_it() -> None:
    looked = replace(LOOKED, assignees=("bob-acme",), doers={"assigned bob-acme": Doer(login="eve")})
    taken, assigned = compare(looked, SEEN, ONE, names)
    assert isinstance(taken, Acknowledged)
    assert isinstance(assigned, Assigned)
    assert (taken.actor.name, assigned.actor.name, assigned.to) == ("eve", "eve", "bob")
    (only,) = compare(looked, SEEN, replace(ONE, acknowledged_by="ann"), names)
    assert isinstance(only, Assigned)
    assert compare(replace(looked, doers={"assigned bob-acme": STALE}), SEEN, ONE) == ()


def test_a_close_says_who_why_when_and_what_was_shown() -> None:
    looked = replace(LOOKED, closed=True, closer=Doer(login="bob-acme"), closed_at=NOW, reason=CloseReason.NOT_PLANNED)
    assert not asks_who(looked, SEEN)
    (close,) = compare(looked, SEEN, ONE, names)
    assert isinstance(close, CloseAsked)
    assert (close.actor.name, close.reason, close.at, close.seen) == (
        "bob",
        CloseReason.NOT_PLANNED,
        NOW,
        Severity.SEV2,
    )
    assert len(compare(looked, SEEN, None)) == 1


@pytest.mark.parametrize(
    "known",
    [replace(ONE, state=State.CLOSED, closed_at=NOW), replace(ONE, parent=3, fold=Fold.MERGE, folded_at=NOW)],
)
def test_what_is_as_it_should_be_was_our_own_doing(known: object) -> None:
    assert compare(replace(LOOKED, closed=True, closed_at=NOW), SEEN, known) == ()  # type: ignore[arg-type] # an incident


def test_a_reopening_by_a_person_is_one_and_by_a_bot_none() -> None:
    closed = replace(ONE, state=State.CLOSED, closed_at=NOW)
    seen = replace(SEEN, closed=True)
    assert asks_who(LOOKED, seen)
    (reopened,) = compare(replace(LOOKED, doers={"reopened": Doer(login="eve")}), seen, closed)
    assert isinstance(reopened, ReopenAsked)
    assert compare(replace(LOOKED, doers={"reopened": STALE}), seen, closed) == ()


def test_a_bots_close_is_undone_once_and_left_the_second_time() -> None:
    looked = replace(LOOKED, closed=True, closer=STALE, closed_at=NOW)
    assert compare(looked, SEEN, ONE) == (ClosedByBot(name="stale[bot]", left=False),)
    again = replace(SEEN, bot_closes=1, closed_at=NOW - timedelta(hours=1))
    assert compare(looked, again, ONE) == (ClosedByBot(name="stale[bot]", left=True),)
    assert compare(looked, replace(again, closed_at=NOW), ONE) == ()


def test_remarks_and_ticks_are_told() -> None:
    remark = Remark(id=7, by="bob-acme", text="On it.", url="https://example.com/7", at=NOW)
    looked = replace(LOOKED, remarks=(remark,), ticks=("b", "c"))
    said, ticked = compare(looked, replace(SEEN, ticks=("a", "b")), ONE, names)
    assert isinstance(said, Said)
    assert said.actor == BOB
    assert ticked == Ticked(done=("c",), undone=("a",))


def told(one: object, event: object) -> list[tuple[Entry, str]]:
    decision = decide(one, event, CONTEXT, NOW)  # type: ignore[arg-type] # what the tests make
    return [(entry.entry, entry.text) for entry in decision.timeline]


def test_a_remark_stands_in_the_timeline_and_renews_the_acknowledgement() -> None:
    event = Said(actor=BOB, text="x" * 2_000, url="u", at=NOW + timedelta(minutes=1))
    mine = replace(ONE, state=State.ACKNOWLEDGED, acknowledged_by="bob", acknowledged_until=NOW)
    decision = decide(mine, event, CONTEXT, NOW)
    assert decision.incident.acknowledged_until is not None
    assert decision.incident.acknowledged_until > NOW
    (entry,) = decision.timeline
    assert (entry.entry, entry.at, entry.by, len(entry.text)) == (Entry.COMMENT, NOW, "bob", 1_005)
    over = replace(mine, state=State.CLOSED, closed_at=NOW)
    assert told(over, replace(event, text="late")) == [(Entry.COMMENT, "late (u)")]


def test_what_else_happens_on_an_issue_is_told_in_words() -> None:
    assert told(ONE, Ticked(done=("Users confirm",))) == [(Entry.TICKED, "ticked on the issue: Users confirm")]
    assert told(ONE, Ticked(undone=("Users confirm",))) == [
        (Entry.TICKED, "no longer ticked on the issue: Users confirm")
    ]
    assert told(ONE, ClosedByBot(name="b", left=False)) == [
        (Entry.PUBLISHED, "b closed the issue and is no person: opened again")
    ]
    assert told(ONE, ClosedByBot(name="b", left=True)) == [
        (Entry.PUBLISHED, "b closed the issue again: it is left closed, and the incident goes on")
    ]
    assert told(ONE, Undone(actor=BOB, what="the close", why="no")) == [
        (Entry.PUBLISHED, "the close by bob is undone: no")
    ]


ITEMS = Process(
    actions=(
        ActionItem(id=1, kind=ActionKind.PROCESS, text="One", by="ann", at=NOW),
        ActionItem(id=2, kind=ActionKind.PROCESS, text="Two", by="ann", at=NOW, done_at=NOW, done_by="ann"),
    )
)


def test_a_tick_of_an_action_item_that_is_not_done_says_that_it_is() -> None:
    looked = replace(LOOKED, actions={1: True, 2: True, 3: True})
    (asked,) = compare(looked, SEEN, None, reviewed=replace(ONE, process=ITEMS))
    assert isinstance(asked, ActionAsked)
    assert (asked.done, asked.actor.name) == (1, "somebody on the issue")


def test_a_tick_that_is_taken_from_what_is_done_is_only_told() -> None:
    seen = replace(SEEN, ticks=("action item 1", "action item 2", "Users confirm"))
    looked = replace(LOOKED, ticks=("Users confirm",), actions={1: True, 2: False})
    done = replace(ITEMS, actions=tuple(replace(item, done_at=NOW) for item in ITEMS.actions))
    assert compare(looked, seen, replace(ONE, process=done)) == (Ticked(undone=("action item 2",)),)


def test_action_items_that_are_listed_elsewhere_by_now_lost_no_tick() -> None:
    seen = replace(SEEN, ticks=("action item 2",))
    assert is_news(LOOKED, seen)
    assert compare(LOOKED, seen, replace(ONE, process=ITEMS)) == ()


def test_what_is_ticked_on_an_issue_stands_as_confirmed_until_it_is_not() -> None:
    event = Ticked(done=("Users confirm", "Told support"))
    after = decide(ONE, event, CONTEXT, NOW).incident
    assert after.process.ticked == ("Users confirm", "Told support")
    again = decide(after, Ticked(done=("Told support",), undone=("Users confirm",)), CONTEXT, NOW).incident
    assert again.process.ticked == ("Told support",)
    elsewhere = decide(again, Ticked(done=("Lessons",), where="REV-9"), CONTEXT, NOW)
    assert elsewhere.incident.process.ticked == ("Told support",)
    assert elsewhere.timeline[0].text == "ticked on REV-9: Lessons"


def test_what_is_said_on_a_review_is_told_with_its_place() -> None:
    said = Said(actor=BOB, text="x" * 1_200, url="https://example.com/1", at=NOW, where="REV-9")
    (told,) = decide(ONE, said, CONTEXT, NOW).timeline
    assert told.text == f"on REV-9: {'x' * 1_000}… (https://example.com/1)"
