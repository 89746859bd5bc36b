"""What every backend promises, asked of the local folder and of GitHub over the fake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from building import START, issue
from fakes.github import FakeGitHub, LateCommit, Limited, LostAnswer, Recorded, Reset, Role, ServerError
from fakes.github.people import Person
from triaged.backends.github.backend import GitHubBackend
from triaged.backends.github.settings import Settings
from triaged.backends.github.transport import Surroundings
from triaged.backends.github.watch import GitHubWatch
from triaged.backends.local import LocalBackend
from triaged.clock import FakeClock
from triaged.core.model import CloseReason, Severity, State
from triaged.core.observed import Doer, Looked
from triaged.errors import DeliveryError
from triaged.ports.backend import Address, Backend, Found, Issue, Written

OPERATION = "5f3a5f3a5f3a5f3a5f3a5f3a5f3a5f3a"
OTHER = "beefbeefbeefbeefbeefbeefbeefbeef"
FIRST = issue()
SECOND = issue(state=State.ACKNOWLEDGED, acknowledged_by="ann")
THIRD = issue(severity=Severity.SEV1, judged=Severity.SEV1, labels=("big",))
FOURTH = issue(severity=Severity.SEV1, judged=Severity.SEV1, firing=3, alerts=3)
CLOSED = issue(state=State.CLOSED, closed_by="ann", close_reason=CloseReason.FALSE_ALARM, firing=0)


def written(wanted: Issue) -> Written:
    return Written(block=wanted.block, labels=wanted.labels, closed=wanted.closed)


class Desk(Protocol):
    """A backend, its clock, and a person beside it who sees and edits what it published."""

    backend: Backend
    clock: FakeClock

    def title(self, address: Address) -> str: ...
    def text(self, address: Address) -> str: ...
    def labels(self, address: Address) -> list[str]: ...
    def assignees(self, address: Address) -> list[str]: ...
    def is_closed(self, address: Address) -> bool: ...
    def count(self) -> int: ...
    def comments(self, address: Address) -> list[str]: ...

    def edit_title(self, address: Address, title: str) -> None: ...
    def edit(self, address: Address, change: Callable[[str], str]) -> None: ...
    def label(self, address: Address, name: str) -> None: ...
    def unlabel(self, address: Address, name: str) -> None: ...
    def assign(self, address: Address, login: str) -> None: ...
    def close(self, address: Address) -> None: ...
    def reopen(self, address: Address) -> None: ...
    def remove(self, address: Address) -> None: ...
    def look(self, address: Address) -> Looked: ...


class Folder:
    """A folder of files, edited by hand."""

    def __init__(self, directory: Path, clock: FakeClock) -> None:
        self.backend: Backend = LocalBackend(directory, clock)
        self.clock = clock
        self.directory = directory

    def path(self, address: Address) -> Path:
        return self.directory / address.url.rsplit("/", 1)[1]

    def text(self, address: Address) -> str:
        return self.path(address).read_bytes().decode()

    def edit(self, address: Address, change: Callable[[str], str]) -> None:
        self.path(address).write_bytes(change(self.text(address)).encode())

    def title(self, address: Address) -> str:
        return self.text(address).split("\n", 1)[0].removeprefix("# ").strip()

    def _line(self, address: Address, name: str) -> list[str]:
        found = re.search(rf"^{name}:[ ]*([^\r\n]*)", self.text(address), re.MULTILINE)
        return [part for part in found[1].split(", ") if part] if found else []

    def _set(self, address: Address, name: str, values: list[str]) -> None:
        self.edit(address, lambda text: re.sub(rf"(?m)^{name}:[^\r\n]*", f"{name}: {', '.join(values)}", text, count=1))

    def labels(self, address: Address) -> list[str]:
        return self._line(address, "Labels")

    def assignees(self, address: Address) -> list[str]:
        return self._line(address, "Assignees")

    def is_closed(self, address: Address) -> bool:
        return self._line(address, "State")[0].startswith("closed")

    def count(self) -> int:
        return len(list(self.directory.glob("*.md")))

    def comments(self, address: Address) -> list[str]:
        _, _, comments = self.text(address).partition("## Comments")
        return comments.split("### ")[1:]

    def edit_title(self, address: Address, title: str) -> None:
        self.edit(address, lambda text: f"# {title}\n" + text.split("\n", 1)[1])

    def label(self, address: Address, name: str) -> None:
        self._set(address, "Labels", [*self.labels(address), name])

    def unlabel(self, address: Address, name: str) -> None:
        self._set(address, "Labels", [label for label in self.labels(address) if label != name])

    def assign(self, address: Address, login: str) -> None:
        self.edit(address, lambda text: text.replace("\nLabels:", f"\nAssignees: {login}\nLabels:", 1))

    def close(self, address: Address) -> None:
        self._set(address, "State", ["closed (not planned)"])

    def reopen(self, address: Address) -> None:
        self._set(address, "State", ["open"])

    def remove(self, address: Address) -> None:
        self.path(address).unlink()

    def look(self, address: Address) -> Looked:
        return LocalBackend(self.directory, self.clock).look(address, None).looked


class Hub:
    """A GitHub repository with a person in it."""

    def __init__(self, fake: FakeGitHub, clock: FakeClock) -> None:
        self.fake = fake
        self.clock = clock
        self.person: Person = fake.person("ann")
        self._opened: list[GitHubBackend] = []
        self.backend: Backend = self.another()

    def another(self, token: str | None = None) -> GitHubBackend:
        """A backend that remembers nothing, as after a restart."""
        settings = Settings(repository="acme/incidents", api_url=self.fake.url, token=lambda: token or self.fake.token)
        backend = GitHubBackend(settings, Surroundings(now=self.clock.now, pause=self.pause))
        self._opened.append(backend)
        return backend

    def shut(self) -> None:
        for backend in self._opened:
            backend.close()

    def look(self, address: Address) -> Looked:
        settings = Settings(repository="acme/incidents", api_url=self.fake.url, token=lambda: self.fake.token)
        watch = GitHubWatch(settings, Surroundings(now=self.clock.now, pause=self.pause), lambda now: now)
        try:
            return watch.look(address, None).looked
        finally:
            watch.close()

    def pause(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def title(self, address: Address) -> str:
        return self.fake.issue(address.number).title

    def text(self, address: Address) -> str:
        return self.fake.issue(address.number).body or ""

    def labels(self, address: Address) -> list[str]:
        return self.fake.labels(address.number)

    def assignees(self, address: Address) -> list[str]:
        return [user.login for user in self.fake.issue(address.number).assignees]

    def is_closed(self, address: Address) -> bool:
        return self.fake.issue(address.number).state == "closed"

    def count(self) -> int:
        return len(self.fake.issues)

    def comments(self, address: Address) -> list[str]:
        return [comment.body for comment in self.fake.comments(address.number)]

    def edit_title(self, address: Address, title: str) -> None:
        self.person.edit_title(address.number, title)

    def edit(self, address: Address, change: Callable[[str], str]) -> None:
        self.person.edit_body(address.number, change(self.text(address)))

    def label(self, address: Address, name: str) -> None:
        self.person.label(address.number, name)

    def unlabel(self, address: Address, name: str) -> None:
        self.person.unlabel(address.number, name)

    def assign(self, address: Address, login: str) -> None:
        self.person.assign(address.number, login)

    def close(self, address: Address) -> None:
        self.person.close(address.number, "not_planned")

    def reopen(self, address: Address) -> None:
        self.person.reopen(address.number)

    def remove(self, address: Address) -> None:
        self.person.delete_issue(address.number)


@pytest.fixture
def hub() -> Iterator[Hub]:
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as fake:
        hub = Hub(fake, clock)
        yield hub
        hub.shut()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "incidents", FakeClock(START))


@pytest.fixture(params=["local", "github"])
def desk(request: pytest.FixtureRequest) -> Desk:
    kind = "folder" if request.param == "local" else "hub"
    found: Desk = request.getfixturevalue(kind)
    return found


def updates(desk: Desk, address: Address, *issues: Issue, first: Issue = FIRST) -> list[Found]:
    """What was found by an update to each of these, one after the other."""
    found, last = [], first
    for wanted in issues:
        desk.clock.advance(timedelta(minutes=1))
        found.append(desk.backend.update(address, wanted, written(last)))
        last = wanted
    return found


def failing(call: Callable[[], object]) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        call()
    return caught.value


# ---------------------------------------------------------------- every backend


def test_a_created_issue_shows_title_text_and_labels_and_is_open(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    assert address.backend == desk.backend.name
    assert desk.title(address) == FIRST.title
    assert FIRST.block in desk.text(address)
    assert FIRST.people.strip() in desk.text(address)
    assert tuple(desk.labels(address)) == FIRST.labels
    assert not desk.is_closed(address)


def test_what_was_created_is_found_by_its_marker_and_nothing_else_is(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    assert desk.backend.find(OPERATION, START, "") == address
    assert desk.backend.find(OTHER, START, "") is None


def test_nothing_is_found_where_nothing_was_created(desk: Desk) -> None:
    assert desk.backend.find(OPERATION, START, "") is None


def test_what_was_created_is_found_after_people_edited_it(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.edit_title(address, "The shop is down")
    desk.edit(address, lambda text: text.replace("## Notes", "## Notes\n\nAnn looks at it."))
    assert desk.backend.find(OPERATION, START, "") == address


def test_an_update_shows_what_the_incident_has_become(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    (found,) = updates(desk, address, SECOND)
    assert SECOND.block in desk.text(address)
    assert FIRST.block not in desk.text(address)
    assert (found.address, found.closed) == (address, False)


def test_an_update_done_twice_is_done_once(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.backend.update(address, THIRD, written(FIRST))
    before = desk.text(address), desk.labels(address)
    desk.backend.update(address, THIRD, written(FIRST))
    assert (desk.text(address), desk.labels(address)) == before


def test_what_a_person_wrote_survives_three_more_updates(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    notes = "## Notes\r\n\r\nAnn: it is the *cache*.  \r\n\r\n- [x] flushed\r\n"
    desk.edit_title(address, "The shop is down")
    desk.edit(address, lambda text: text.replace("\n", "\r\n").replace("## Notes\r\n", notes))
    desk.label(address, "customer-visible")
    desk.assign(address, "ann")
    updates(desk, address, SECOND, THIRD, FOURTH)
    assert desk.title(address) == "The shop is down"
    assert notes in desk.text(address)
    assert "customer-visible" in desk.labels(address)
    assert desk.assignees(address) == ["ann"]
    assert FOURTH.block.replace("\n", "\r\n") in desk.text(address)


def test_a_line_that_a_person_wrote_into_our_part_is_kept_below_it(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.edit(address, lambda text: text.replace("#### Targets", "Bob: I have it.\n\n#### Targets"))
    updates(desk, address, SECOND, THIRD, FOURTH)
    assert desk.text(address).count("Bob: I have it.") == 1
    assert FOURTH.block in desk.text(address)


def test_a_body_from_which_a_person_took_our_part_is_left_alone(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.edit(address, lambda text: text.split("<!--")[0] + "Only mine.\n")
    before = desk.text(address)
    updates(desk, address, SECOND)
    assert desk.text(address) == before


def test_labels_follow_our_wish_and_people_s_stay(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.label(address, "customer-visible")
    updates(desk, address, THIRD)
    assert set(desk.labels(address)) == {*THIRD.labels, "customer-visible"}
    updates(desk, address, FIRST, first=THIRD)
    assert set(desk.labels(address)) == {*FIRST.labels, "customer-visible"}


def test_a_label_of_ours_that_a_person_removed_stays_away_until_our_wish_changes(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.unlabel(address, "severity: sev2")
    updates(desk, address, SECOND)
    assert "severity: sev2" not in desk.labels(address)
    updates(desk, address, THIRD, FIRST, first=SECOND)
    assert "severity: sev2" in desk.labels(address)


def test_the_daemon_s_close_and_reopening_are_shown(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    (closing,) = updates(desk, address, CLOSED)
    assert desk.is_closed(address)
    assert not closing.closed
    (reopening,) = updates(desk, address, FIRST, first=CLOSED)
    assert not desk.is_closed(address)
    assert reopening.closed


def test_a_person_s_close_is_reported_and_survives_updates(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.close(address)
    found = updates(desk, address, SECOND, THIRD, FOURTH)
    assert desk.is_closed(address)
    assert FOURTH.block in desk.text(address)
    assert all(each.closed for each in found)
    looked = desk.look(address)
    assert (looked.closed, looked.closer.bot, looked.reason) == (True, False, CloseReason.NOT_PLANNED)
    assert looked.closer.login


def test_a_close_that_a_person_already_did_is_not_done_again(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.close(address)
    (found,) = updates(desk, address, CLOSED)
    assert desk.is_closed(address)
    assert (found.closed, desk.look(address).reason) == (True, CloseReason.NOT_PLANNED)


def test_a_person_s_reopening_is_reported_and_survives_updates(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    updates(desk, address, CLOSED)
    desk.reopen(address)
    (found,) = updates(desk, address, replace(CLOSED, labels=(*CLOSED.labels, "new")), first=CLOSED)
    assert not found.closed
    assert not desk.is_closed(address)


def test_a_comment_is_there_once_and_known_by_its_marker(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    assert not desk.backend.has_comment(address, OTHER, START)
    desk.backend.comment(address, "Reopened: HighErrorRate fires again, cc @octocat.", OTHER)
    assert desk.backend.has_comment(address, OTHER, START)
    assert not desk.backend.has_comment(address, "c0de", START)
    (comment,) = desk.comments(address)
    assert "Reopened: HighErrorRate fires again" in comment
    assert "@octocat" not in comment


def test_comments_survive_updates_and_the_issue_is_still_found(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.backend.comment(address, "One.", OTHER)
    desk.backend.comment(address, "Two.", "c0de")
    updates(desk, address, SECOND, THIRD)
    assert len(desk.comments(address)) == 2
    assert desk.backend.find(OPERATION, START, "") == address
    assert desk.backend.find(OTHER, START, "") is None


def test_an_issue_that_a_person_deleted_is_gone_for_good(desk: Desk) -> None:
    address = desk.backend.create(FIRST, OPERATION)
    desk.remove(address)
    for call in (
        lambda: desk.backend.update(address, SECOND, written(FIRST)),
        lambda: desk.backend.comment(address, "One.", OTHER),
    ):
        error = failing(call)
        assert (error.reason, error.retry_at) == ("gone", None)


# ---------------------------------------------------------------- files


def test_a_file_is_created_once_by_an_operation(folder: Folder) -> None:
    first = folder.backend.create(FIRST, OPERATION)
    assert folder.backend.create(SECOND, OPERATION) == first
    assert folder.count() == 1
    assert FIRST.block in folder.text(first)


def test_a_file_of_another_history_stays_as_it_is(folder: Folder) -> None:
    old = folder.backend.create(FIRST, OPERATION)
    new = folder.backend.create(SECOND, OTHER)
    assert (folder.path(old).name, folder.path(new).name) == ("INC-12.md", "INC-12.2.md")
    updates(folder, new, THIRD, first=SECOND)
    assert FIRST.block in folder.text(old)
    assert THIRD.block in folder.text(new)
    assert folder.backend.find(OTHER, START, "") == new


def test_a_comment_written_twice_to_a_file_is_there_once(folder: Folder) -> None:
    address = folder.backend.create(FIRST, OPERATION)
    for _ in range(2):
        folder.backend.comment(address, "One.", OTHER)
    assert len(folder.comments(address)) == 1
    assert folder.text(address).count("## Comments") == 1
    assert "### 2026-11-23 03:00 UTC" in folder.text(address)


def test_a_file_holds_more_comments_than_github_s_limit_and_is_still_updated(folder: Folder) -> None:
    address = folder.backend.create(FIRST, OPERATION)
    for number in range(5):
        folder.backend.comment(address, "long " * 4_000, f"{number:04x}")
    updates(folder, address, SECOND)
    assert SECOND.block in folder.text(address)
    assert len(folder.comments(address)) == 5


def test_bytes_that_are_no_text_survive_in_a_file(folder: Folder) -> None:
    address = folder.backend.create(FIRST, OPERATION)
    path = folder.path(address)
    path.write_bytes(path.read_bytes() + b"caf\xe9\n")
    updates(folder, address, SECOND)
    assert path.read_bytes().endswith(b"caf\xe9\n")


def test_lines_that_a_person_took_from_the_head_of_a_file_stay_away(folder: Folder) -> None:
    address = folder.backend.create(FIRST, OPERATION)
    folder.edit(address, lambda text: re.sub(r"(?m)^(State|Labels):.*\n", "", text))
    folder.backend.comment(address, "State: closed", OTHER)
    (found,) = updates(folder, address, CLOSED)
    assert not found.closed
    assert "Labels:" not in folder.text(address)
    assert CLOSED.block in folder.text(address)


def test_no_half_written_file_is_left_behind(folder: Folder) -> None:
    address = folder.backend.create(FIRST, OPERATION)
    updates(folder, address, SECOND)
    assert [path.name for path in folder.directory.iterdir()] == ["INC-12.md"]


def test_a_disk_that_refuses_is_tried_again_after_thirty_seconds(folder: Folder) -> None:
    folder.directory.write_text("a file where the folder should be")
    error = failing(lambda: folder.backend.create(FIRST, OPERATION))
    assert (error.reason, error.retry_at) == ("disk", START + timedelta(seconds=30))


def test_a_disk_is_always_ready(folder: Folder) -> None:
    assert folder.backend.ready_at(START, urgent=False, creates=True) == START


# ---------------------------------------------------------------- GitHub


def sent(hub: Hub, operation: str) -> list[Recorded]:
    return hub.fake.requests_of(operation)


def test_a_create_whose_answer_is_lost_is_ambiguous_and_found(hub: Hub) -> None:
    hub.fake.fail("create_issue", LostAnswer())
    error = failing(lambda: hub.backend.create(FIRST, OPERATION))
    assert error.ambiguous
    found = hub.another().find(OPERATION, START, "")
    assert found is not None
    assert found.number == hub.fake.issues[0].number
    assert len(hub.fake.creates) == 1


def test_a_create_that_lands_late_is_found_later(hub: Hub) -> None:
    hub.fake.fail("create_issue", LateCommit(after=timedelta(seconds=10)))
    assert failing(lambda: hub.backend.create(FIRST, OPERATION)).ambiguous
    assert hub.backend.find(OPERATION, START, "") is None
    hub.clock.advance(timedelta(seconds=11))
    assert hub.backend.find(OPERATION, START, "") is not None


def test_an_issue_that_the_list_does_not_show_yet_is_found_when_it_does(hub: Hub) -> None:
    hub.fake.list_lag = timedelta(seconds=60)
    address = hub.backend.create(FIRST, OPERATION)
    assert hub.backend.find(OPERATION, START, "") is None
    hub.clock.advance(timedelta(seconds=61))
    assert hub.backend.find(OPERATION, START, "") == address


def test_a_marker_that_a_person_pasted_is_not_ours(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    hub.person.open("copy", hub.text(address).replace(OPERATION, OTHER))
    hub.person.comment(address.number, f"<!-- triaged:v1 op={OTHER} -->\n\nx")
    assert hub.backend.find(OTHER, START, "") is None
    assert not hub.backend.has_comment(address, OTHER, START)


def test_the_search_goes_back_to_five_minutes_before_the_intent_and_no_further(hub: Hub) -> None:
    hub.backend.create(FIRST, OPERATION)
    assert hub.backend.find(OPERATION, START + timedelta(minutes=5), "") is not None
    assert hub.backend.find(OPERATION, START + timedelta(minutes=6), "") is None


def test_an_app_that_may_not_ask_who_it_is_finds_its_own_issue(hub: Hub) -> None:
    token = "ghs_123_" + "a" * 60
    hub.fake.add_token(token, "triaged[bot]")
    hub.fake.grant("triaged[bot]", Role.WRITE)
    app = hub.another(token)
    address = app.create(FIRST, OPERATION)
    hub.person.open("copy", hub.text(address).replace(OPERATION, OTHER))
    for backend in (app, hub.another(token)):
        assert backend.find(OPERATION, START, "") == address
        assert backend.find(OTHER, START, "") is None


def test_a_comment_whose_answer_is_lost_is_known_by_its_marker(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    hub.fake.fail("create_comment", LostAnswer())
    assert failing(lambda: hub.backend.comment(address, "One.", OTHER)).ambiguous
    assert hub.backend.has_comment(address, OTHER, START)


def test_a_reaction_given_twice_is_there_once(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    said = hub.person.comment(address.number, "/ack")
    hub.fake.fail("react", LostAnswer())
    assert failing(lambda: hub.backend.react(address, said.id, "rocket")).ambiguous
    hub.backend.react(address, said.id, "rocket")
    assert hub.fake.reactions(said) == ["rocket"]
    assert [request.status for request in hub.fake.requests_of("react")] == [None, 200]
    hub.person.delete_comment(said.id)
    assert failing(lambda: hub.backend.react(address, said.id, "rocket")).reason == "not_found"


def test_a_comment_lists_commands_as_a_table_in_which_nothing_acts(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    hub.backend.comment(address, "", OTHER, rows=[("/ack | x", "take it, @octocat"), ("/help", "this")])
    (comment,) = hub.comments(address)
    assert comment.endswith("| `/help` | this |\n")
    assert "| `/ack \\| x` |" in comment
    assert "@octocat" not in comment


def test_an_update_without_a_difference_writes_nothing(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    writes = len(hub.fake.writes)
    updates(hub, address, FIRST)
    assert len(hub.fake.writes) == writes


def test_an_update_is_one_patch_and_sends_neither_title_nor_labels(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    updates(hub, address, replace(CLOSED, title="another"))
    (patch,) = sent(hub, "update_issue")
    assert isinstance(patch.body, dict)
    assert set(patch.body) == {"body", "state", "state_reason"}
    assert patch.body["state_reason"] == "not_planned"


def test_a_reopening_says_so(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    updates(hub, address, CLOSED, FIRST)
    patch = sent(hub, "update_issue")[-1]
    assert isinstance(patch.body, dict)
    assert (patch.body["state"], patch.body["state_reason"]) == ("open", "reopened")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (CloseReason.COMPLETED, "completed"),
        (CloseReason.FALSE_ALARM, "not_planned"),
        (CloseReason.NOT_PLANNED, "not_planned"),
        (CloseReason.DUPLICATE, "duplicate"),
    ],
)
def test_each_reason_closes_as_github_names_it(hub: Hub, reason: CloseReason, said: str) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    updates(hub, address, replace(CLOSED, close_reason=reason))
    assert hub.fake.issue(address.number).state_reason == said


def test_a_close_by_a_person_is_told_with_login_and_one_by_a_bot_with_that(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    hub.close(address)
    assert hub.look(address).closer == Doer(login="ann")
    hub.person.reopen(address.number)
    hub.fake.add_token("ghs_x", "stale[bot]")
    hub.fake.person("stale[bot]").close(address.number)
    assert hub.look(address).closer == Doer(login="stale[bot]", bot=True)
    updates(hub, address, SECOND)
    assert hub.is_closed(address)


def test_a_close_is_told_with_its_instant_whoever_shares_our_login(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    hub.backend.update(address, CLOSED, written(FIRST))
    found = hub.backend.update(address, CLOSED, written(FIRST))
    looked = hub.look(address)
    assert (found.closed, looked.closer.login) == (True, hub.fake.bot.login)
    assert looked.closed_at == hub.fake.issue(address.number).closed_at


def test_a_lost_answer_to_an_update_is_made_good_by_the_same_update(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    for operation in ("update_issue", "add_labels", "remove_label"):
        hub.fake.fail(operation, LostAnswer())
        failing(lambda: hub.backend.update(address, THIRD, written(FIRST)))
    hub.backend.update(address, THIRD, written(FIRST))
    assert hub.fake.labels(address.number) == ["team: payments", "category: degradation", "severity: sev1", "big"]
    assert THIRD.block in hub.text(address)


def test_a_renamed_repository_and_a_transferred_issue_are_told_by_their_new_address(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    hub.person.rename_repository("acme/ops")
    (renamed,) = updates(hub, address, SECOND)
    assert (renamed.address.repository, renamed.address.number) == ("acme/ops", address.number)
    target = hub.fake.add_repository("acme/shop")
    hub.person.open("x")
    moved = hub.person.transfer(address.number, target)
    (found,) = updates(hub, renamed.address, THIRD, first=SECOND)
    assert (found.address.repository, found.address.number) == ("acme/shop", moved.number)
    assert THIRD.block in (moved.body or "")
    assert found.address.url.endswith(f"acme/shop/issues/{moved.number}")


def test_labels_that_github_drops_are_told_once(hub: Hub) -> None:
    hub.fake.grant("triaged-bot", Role.READ)
    with capture_logs() as logs:
        hub.backend.create(FIRST, OPERATION)
        hub.clock.advance(timedelta(seconds=2))
        hub.backend.create(FIRST, OTHER)
    assert [line["event"] for line in logs] == ["GitHub dropped labels: the credential may not write to it"]


def test_writes_are_a_second_apart_also_within_an_update(hub: Hub) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    before = hub.clock.now()
    hub.backend.update(address, THIRD, written(FIRST))
    assert hub.clock.now() - before == timedelta(seconds=3)


def test_the_pace_counts_what_was_sent(hub: Hub) -> None:
    assert hub.backend.ready_at(START, urgent=False, creates=True) == START
    hub.backend.create(FIRST, OPERATION)
    assert hub.backend.ready_at(START, urgent=False, creates=False) == START + timedelta(seconds=1)


@pytest.mark.parametrize("operation", ["create_issue", "get_issue"])
def test_a_refusal_holds_everything_until_github_takes_writes_again(hub: Hub, operation: str) -> None:
    address = hub.backend.create(FIRST, OPERATION)
    hub.clock.advance(timedelta(seconds=5))
    now = hub.clock.now()
    hub.fake.fail(operation, Limited(retry_after=90))
    refused = failing(
        (lambda: hub.backend.create(SECOND, OTHER))
        if operation == "create_issue"
        else (lambda: hub.backend.update(address, SECOND, written(FIRST)))
    )
    assert not refused.ambiguous
    assert hub.backend.ready_at(now, urgent=True, creates=True) == now + timedelta(seconds=90)
    requests = len(hub.fake.requests)
    held = failing(lambda: hub.backend.create(SECOND, OTHER))
    assert (held.reason, held.retry_at, held.ambiguous) == ("rate_limited", now + timedelta(seconds=90), False)
    assert len(hub.fake.requests) == requests


@pytest.mark.parametrize("fault", [Reset(), ServerError(status=502), ServerError(status=502, after_commit=True)])
def test_a_create_is_never_repeated_by_itself(hub: Hub, fault: Reset | ServerError) -> None:
    hub.fake.fail("create_issue", fault)
    assert failing(lambda: hub.backend.create(FIRST, OPERATION)).ambiguous
    assert len(hub.fake.creates) == 1
