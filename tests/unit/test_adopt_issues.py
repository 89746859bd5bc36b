"""Which issues of people are handed to the writer: by who may report, each once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from triaged.core.observed import Looked
from triaged.core.reports import Filed
from triaged.errors import DeliveryError, StoreError
from triaged.intake.units import Adopt, Answer, Unit
from triaged.ports.backend import Address
from triaged.ports.looks import Opened, Sight
from triaged.ports.store import Fate
from triaged.workers.adopt import AdoptIssues, Reporters

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def sight(number: int, by: str = "zoe") -> Sight:
    address = Address(backend="github", repository="acme/pay", number=number, url=f"https://github.test/{number}")
    opened = Opened(by=by, at=NOW, title="Broken", filed=Filed())
    return Sight(address=address, looked=Looked(closed=False), through_at=NOW, opened=opened)


class Writer:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = [*answers]
        self.asked: list[int] = []

    def ask(self, unit: Unit) -> Answer:
        assert isinstance(unit, Adopt)
        self.asked.append(unit.address.number)
        return self.answers.pop(0) if self.answers else Answer(counts={Fate.BEGAN: 1})


class Members:
    """Only zoe belongs; while `down`, nobody can tell."""

    down = False

    def belongs(self, repository: str, login: str) -> bool:
        if self.down:
            raise DeliveryError("GitHub is down", reason="server_error")
        return login == "zoe"


@pytest.mark.parametrize(
    ("reporters", "taken"),
    [(Reporters.ANYONE, [1, 2]), (Reporters.COLLABORATORS, [1]), (Reporters.NOBODY, [])],
)
def test_each_issue_of_who_may_report_is_handed_on_once(reporters: Reporters, taken: list[int]) -> None:
    writer = Writer()
    issues = AdoptIssues(Members(), reporters=reporters, ask=writer.ask)
    for _ in range(2):
        assert issues.take([sight(1), sight(2, by="eve")])
    assert writer.asked == taken


def test_what_the_rules_drop_is_not_asked_about_again() -> None:
    writer = Writer(Answer(counts={Fate.DROPPED: 1}))
    issues = AdoptIssues(Members(), reporters=Reporters.ANYONE, ask=writer.ask)
    for _ in range(2):
        assert issues.take([sight(1)])
    assert writer.asked == [1]


def test_what_cannot_be_asked_or_stored_now_is_taken_later() -> None:
    writer, members = Writer(Answer(status=503, error="the disk is full")), Members()
    issues = AdoptIssues(members, reporters=Reporters.COLLABORATORS, ask=writer.ask)
    members.down = True
    assert not issues.take([sight(1)])
    members.down = False
    with pytest.raises(StoreError, match="the disk is full"):
        issues.take([sight(1)])
    assert issues.take([sight(1)])
    assert writer.asked == [1, 1]
