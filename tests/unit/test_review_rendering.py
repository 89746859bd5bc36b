"""What a review's issue looks like, and what an incident's says of its review."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from building import entry, incident, issue, minutes, report
from triaged.backends.document import MARK, compose
from triaged.backends.review import MOST_ENTRIES, render
from triaged.core.changes import Change, ChangeKind
from triaged.core.evidence import Evidence
from triaged.core.model import (
    ActionItem,
    ActionKind,
    CloseReason,
    Entry,
    Fold,
    Outcome,
    Process,
    Review,
    ReviewOutcome,
    Role,
    Severity,
    State,
)
from triaged.ports.backend import Address, Issue, Kind, Report
from triaged.ports.reviews import ReviewReport

REVIEW = Review(
    number=31,
    severity=Severity.SEV2,
    begun_at=minutes(60),
    opens_at=minutes(3_000),
    due_at=minutes(4_500),
    hours="business",
)


def over(review: Review = REVIEW, *items: ActionItem, **changes: Any) -> Report:
    """INC-12, resolved after half an hour, with all that its issue tells."""
    process = Process(review=review, actions=items, roles={Role.COMMANDER: "ann"}, owner="bob")
    values = {"state": State.RESOLVED, "restored_at": minutes(30), "resolved_at": minutes(60), "process": process}
    more = {name: changes.pop(name) for name in ("timeline", "evidence", "hidden") if name in changes}
    return report(incident=incident(**{**values, **changes}), **more)


def rendered(told: Report, **changes: Any) -> Issue:
    review = told.incident.process.review
    assert review is not None
    found = ReviewReport(report=told, review=review, incident_at=None, participants=("ann", "carol"), invited=True)
    return render(replace(found, **changes))


def action(number: int, kind: ActionKind, **changes: Any) -> ActionItem:
    built = ActionItem(id=number, kind=kind, text=f"step {number}", by="ann", at=minutes(50))
    return replace(built, **changes)


def test_it_is_an_issue_of_its_own_with_its_own_mark() -> None:
    found = rendered(over())
    assert (found.kind, found.name, found.incident_id) == (Kind.REVIEW, "REV-31", 31)
    assert found.title == "REV-31 Review of INC-12 HighErrorRate · checkout · eu-1"
    body = compose(found, "ab12")
    assert body.startswith("<!-- triaged:v1 op=ab12 rev=31 -->")
    assert MARK.search(body) is not None
    assert found.labels == ("review", "severity: sev2", "team: payments")


def test_who_acted_takes_part_by_role_and_stakeholders_are_invited() -> None:
    assert "**Participants:** ann (incident commander), carol; stakeholders are invited" in rendered(over()).block
    assert "nobody has acted yet" in rendered(over(), participants=(), invited=False).block


def test_figures_say_what_is_known_and_leave_out_what_is_not() -> None:
    told = over(acknowledged_at=minutes(6), response_outcome=Outcome.MET, resolution_outcome=Outcome.BREACHED, round=2)
    block = rendered(told).block
    for row in (
        "| To acknowledge | 5 min |",
        "| To restore, from its opening | 29 min |",
        "| Lasted | 30 min |",
        "| Response objective | met |",
        "| Resolution objective | **breached** |",
        "| Opened | 2 times |",
    ):
        assert row in block
    assert "| Response objective | undecided |" in rendered(over()).block
    unrestored = over(restored_at=None, state=State.CLOSED, closed_at=None, response_outcome=Outcome.NOT_REQUIRED)
    block = rendered(unrestored).block
    assert "Lasted" not in block
    assert "| Response objective | not required |" in block


def test_the_timeline_runs_forwards_without_what_nobody_talks_about_and_not_for_ever() -> None:
    told = [entry(f"step {n}.", after=n, entry=Entry.NOTE, by="ann") for n in range(MOST_ENTRIES + 9)]
    told += [entry("noise", entry=Entry.FIRED), entry("told", entry=Entry.NOTIFIED)]
    block = rendered(over(timeline=tuple(reversed(told)))).block
    assert block.index("step 0. (ann)") < block.index("step 1. (ann)") < block.index(f"step {MOST_ENTRIES - 1}. (ann)")
    assert f"step {MOST_ENTRIES}." not in block
    assert "noise" not in block


def test_what_changed_before_it_stands_there_where_that_is_known() -> None:
    change = Change(
        kind=ChangeKind.DEPLOYMENT, repository="acme/shop", at=minutes(0), ref="v7", by="<b>@bob</b>", before="v6"
    )
    evidence = Evidence(round=1, severity=Severity.SEV2, at=minutes(2), changes=(change,), changed=1)
    block = rendered(over(evidence=evidence)).block
    assert "#### What may have contributed" in block
    assert "v7" in block
    assert "@bob" not in block
    assert "contributed" not in rendered(over(evidence=replace(evidence, changes=(), changed=0))).block


def test_action_items_stand_by_kind_with_who_and_when() -> None:
    items = (
        action(1, ActionKind.TRAINING, owner="bob", due_at=minutes(9_000)),
        action(2, ActionKind.PREVENTIVE, done_at=minutes(70), done_by="ann"),
    )
    block = rendered(over(REVIEW, *items)).block
    assert "#### Action items (1 of 2 done)" in block
    assert "**Preventive measures**\n\n- [x] 2. step 2 · done 2026-11-23 04:10 UTC by ann" in block
    assert "**Training needs**\n\n- [ ] 1. bob: step 1 · due 2026-11-29 09:00 UTC" in block
    assert "#### Action items\n\nNone yet." in rendered(over()).block


def test_how_it_ended_is_told_and_closes_the_issue() -> None:
    for outcome, reason in (
        (ReviewOutcome.HELD, CloseReason.COMPLETED),
        (ReviewOutcome.WAIVED, CloseReason.NOT_PLANNED),
    ):
        found = rendered(over(replace(REVIEW, outcome=outcome, by="ann", reason="as agreed")))
        assert (found.closed, found.close_reason) == (True, reason)
        assert f"· {outcome} by ann" in found.block
        assert f"**{str(outcome).capitalize()}:** as agreed" in found.block
        assert "Do next" not in found.block
    assert not rendered(over()).closed


def test_one_withdrawn_stays_open_while_its_incident_is_and_closes_with_it() -> None:
    withdrawn = replace(REVIEW, outcome=ReviewOutcome.WITHDRAWN)
    running = rendered(over(withdrawn, state=State.OPEN))
    assert (running.closed, running.folded) == (False, False)
    assert "INC-12 is open again" in running.block
    for changes in ({"state": State.RESOLVED}, {"parent": 3, "fold": Fold.MERGE, "state": State.OPEN}):
        gone = rendered(over(withdrawn, **changes))
        assert (gone.closed, gone.folded, gone.close_reason) == (True, True, CloseReason.NOT_PLANNED)


def test_why_it_is_reviewed_and_how_often_that_was_asked_is_told() -> None:
    block = rendered(over(replace(REVIEW, because="bob asks for it", reminded=2))).block
    assert "- **Why:** bob asks for it" in block
    assert "- **Reminded:** 2 times" in block


def test_the_issue_of_the_incident_is_linked_only_where_it_is_on_the_web() -> None:
    at = Address(
        backend="github", repository="acme/incidents", number=4, url="https://github.com/acme/incidents/issues/4"
    )
    assert "[its issue](https://redirect.github.com/acme/incidents/issues/4)" in rendered(over(), incident_at=at).block
    for url in ("file:///tmp/INC-12.md", "ssh://x.example/a"):
        assert "its issue]" not in rendered(over(), incident_at=replace(at, url=url)).block


def test_of_what_is_hidden_nothing_is_told() -> None:
    found = rendered(over(hidden=True))
    assert (found.people, found.labels) == ("", ())
    assert "shown to responders only" in found.block
    assert "carol" not in found.block


def test_the_issue_of_an_incident_tells_its_review_in_a_line() -> None:
    def told(review: Review) -> str:
        return issue(process=Process(review=review)).block

    assert "- **Review:** REV-31, to be held by 2026-11-26 06:00 UTC" in told(REVIEW)
    assert "- **Review:** REV-31, withdrawn" in told(replace(REVIEW, outcome=ReviewOutcome.WITHDRAWN))
    assert "- **Review:** REV-31, held by ann" in told(replace(REVIEW, outcome=ReviewOutcome.HELD, by="ann"))


def test_an_incident_without_a_review_lists_its_action_items_itself() -> None:
    items = (action(1, ActionKind.TOOL),)
    assert "#### Action items (0 of 1 done)" in issue(process=Process(actions=items)).block
    assert "#### Action items" not in issue(process=Process(actions=items, review=REVIEW)).block
