"""What `triaged github setup` finds and makes in a repository: only what is missing, nothing that people chose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fakes.github import FakeGitHub, Hook, Limited, Role
from fakes.github.contents import blob_sha
from triaged.backends.github import setup, templates
from triaged.backends.github.administration import Administration
from triaged.backends.github.transport import Access, Surroundings
from triaged.backends.github.wire import NewLabel
from triaged.clock import FakeClock
from triaged.errors import DeliveryError
from world import START

REPOSITORY = "acme/incidents"
HOOK_URL = "https://triaged.example.com/api/v1/github/webhook"
SEV1 = NewLabel(name="severity: sev1", color="7f0000", description="Critical")
PAY = NewLabel(name="team: pay", color="0550ae", description="Incidents that team pay answers for")
WISH = setup.Wish(
    labels=(SEV1, PAY),
    files=templates.files(),
    hook=setup.HookWish(url=HOOK_URL, secret=lambda: "s3cret"),
)
FORM = ".github/ISSUE_TEMPLATE/incident-report.yml"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def fake(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as running:
        running.grant(running.bot.login, Role.ADMIN)
        yield running


@pytest.fixture
def client(fake: FakeGitHub, clock: FakeClock) -> Iterator[Administration]:
    access = Access(api_url=fake.url, token=lambda: fake.token)
    made = Administration(access, Surroundings(now=clock.now, pause=lambda _: None))
    yield made
    made.close()


def words(plan: setup.Plan) -> list[str]:
    return [step.words for step in plan.steps]


def done(client: Administration, plan: setup.Plan) -> tuple[setup.Failure, ...]:
    return setup.apply(plan, lambda _: None, lambda _: None)


def made(client: Administration, wish: setup.Wish = WISH) -> setup.Plan:
    """What is left to do after everything was done."""
    assert done(client, setup.look(client, REPOSITORY, wish)) == ()
    return setup.look(client, REPOSITORY, wish)


# ---------------------------------------------------------------- looking, making, doing it again


def test_looking_changes_nothing(client: Administration, fake: FakeGitHub) -> None:
    plan = setup.look(client, REPOSITORY, WISH)
    assert words(plan) == [
        "make label 'severity: sev1' (#7f0000, Critical)",
        "make label 'team: pay' (#0550ae, Incidents that team pay answers for)",
        f"write {FORM} on branch main",
        "write .github/ISSUE_TEMPLATE/incident-report.md on branch main",
        f"add a webhook to {HOOK_URL} for issues, issue_comment",
    ]
    assert fake.writes == []


def test_an_empty_repository_gets_everything_and_the_second_time_nothing_is_left(
    client: Administration, fake: FakeGitHub
) -> None:
    again = made(client)
    assert again.steps == ()
    assert fake.repository.labels["team: pay"].color == "0550ae"
    assert {path: text.decode() for path, text in fake.repository.files.items()} == dict(WISH.files)
    (hook,) = fake.repository.hooks.values()
    assert hook.config == {"url": HOOK_URL, "content_type": "json", "insecure_ssl": "0", "secret": "s3cret"}
    assert hook.events == ["issues", "issue_comment"]
    assert len(fake.writes) == 5
    assert "2 of 2 labels are there" in again.notes


def test_a_second_passes_between_two_writes(client: Administration) -> None:
    pauses: list[float] = []
    setup.apply(setup.look(client, REPOSITORY, WISH), pauses.append, lambda _: None)
    assert pauses == [1.0] * 4


# ---------------------------------------------------------------- labels


def test_what_people_chose_for_a_label_stays_and_is_told(client: Administration, fake: FakeGitHub) -> None:
    label = fake.person("ann").world.add_label(fake.repository, "Severity: SEV1")
    label.color, label.description = "00ff00", "The building burns"
    again = made(client)
    assert (label.name, label.color, label.description) == ("Severity: SEV1", "00ff00", "The building burns")
    assert "label 'severity: sev1' keeps the colour #00ff00 that people gave it" in again.notes
    assert "label 'severity: sev1' keeps the description that people gave it" in again.notes


def test_a_label_that_came_up_with_an_issue_gets_colour_and_description(
    client: Administration, fake: FakeGitHub
) -> None:
    label = fake.person("ann").world.add_label(fake.repository, "team: pay")
    assert (label.color, label.description) == ("ededed", None)
    again = made(client)
    assert (label.color, label.description) == ("0550ae", PAY.description)
    assert not any("keeps" in note for note in again.notes)


def test_only_the_empty_half_of_a_label_is_filled(client: Administration, fake: FakeGitHub) -> None:
    label = fake.person("ann").world.add_label(fake.repository, "team: pay")
    label.description = "Ask Bob"
    made(client)
    assert (label.color, label.description) == ("0550ae", "Ask Bob")


# ---------------------------------------------------------------- templates


def test_a_template_that_people_wrote_or_changed_is_never_written(client: Administration, fake: FakeGitHub) -> None:
    for text in (b"name: Ours\n", templates.files()[FORM].encode() + b"# a word of ours\n", b"\xff\xfe"):
        fake.repository.files[FORM] = text
        again = made(client)
        assert fake.repository.files[FORM] == text
        assert f"{FORM} stays as people wrote it" in again.notes


def test_a_folder_where_the_template_belongs_stays(client: Administration, fake: FakeGitHub) -> None:
    fake.repository.files[f"{FORM}/read.me"] = b"?"
    plan = setup.look(client, REPOSITORY, WISH)
    assert not any(FORM in step.words for step in plan.steps)


def test_a_former_template_of_ours_that_nobody_changed_is_renewed(client: Administration, fake: FakeGitHub) -> None:
    fake.repository.files[FORM] = templates.signed("name: As it was\n").replace("\n", "\r\n").encode()
    plan = setup.look(client, REPOSITORY, WISH)
    assert f"renew {FORM} on branch main" in words(plan)
    assert done(client, plan) == ()
    assert fake.repository.files[FORM].decode() == WISH.files[FORM]


def test_what_somebody_changes_between_looking_and_writing_is_not_overwritten(
    client: Administration, fake: FakeGitHub
) -> None:
    for before in (None, templates.signed("name: As it was\n").encode()):
        fake.repository.files.pop(FORM, None)
        if before:
            fake.repository.files[FORM] = before
        plan = setup.look(client, REPOSITORY, WISH)
        fake.repository.files[FORM] = b"name: Just now\n"
        (failure,) = done(client, plan)
        assert FORM in failure.step.words
        assert fake.repository.files[FORM] == b"name: Just now\n"


def test_where_files_may_not_be_written_the_text_and_its_place_are_told(
    client: Administration, fake: FakeGitHub
) -> None:
    fake.repository.protected = True
    failures = done(client, setup.look(client, REPOSITORY, WISH))
    assert len(failures) == 2
    assert all("pull request" in failure.why for failure in failures)
    assert WISH.files[FORM] in failures[0].step.by_hand
    assert f"commit this as {FORM} to the branch main of" in failures[0].step.by_hand


# ---------------------------------------------------------------- webhooks


def hook_of(fake: FakeGitHub, **config: str) -> Hook:
    hook = Hook(id=7, config={"url": HOOK_URL, "content_type": "json", **config}, events=["push"])
    fake.repository.hooks[7] = hook
    return hook


def test_a_webhook_to_us_keeps_its_events_and_gets_those_that_it_lacks(
    client: Administration, fake: FakeGitHub
) -> None:
    hook = hook_of(fake, secret="theirs")
    again = made(client)
    assert hook.events == ["push", "issues", "issue_comment"]
    assert hook.config["secret"] == "theirs"
    assert any("nobody can read its secret" in note for note in again.notes)


def test_a_webhook_without_a_secret_gets_ours(client: Administration, fake: FakeGitHub) -> None:
    hook = hook_of(fake)
    made(client)
    assert hook.config == {"url": HOOK_URL, "content_type": "json", "secret": "s3cret"}


def test_a_webhook_that_tells_of_everything_lacks_no_event(client: Administration, fake: FakeGitHub) -> None:
    hook = hook_of(fake, secret="x")
    hook.events = ["*"]
    assert made(client).steps == ()
    assert hook.events == ["*"]


def test_what_is_odd_about_a_webhook_is_told_and_left(client: Administration, fake: FakeGitHub) -> None:
    hook = hook_of(fake, secret="x", insecure_ssl="1")
    hook.active = False
    hook.config["content_type"] = "form"
    notes = "\n".join(made(client).notes)
    assert "switched off" in notes
    assert "content type is form" in notes
    assert "certificate" in notes
    assert (hook.active, hook.config["content_type"]) == (False, "form")


def test_webhooks_of_others_are_not_touched(client: Administration, fake: FakeGitHub) -> None:
    other = hook_of(fake)
    other.config["url"] = "https://ci.example.com/"
    made(client)
    assert other.events == ["push"]
    assert len(fake.repository.hooks) == 2


def test_who_may_not_administer_the_repository_is_told_how_to_add_the_webhook(
    client: Administration, fake: FakeGitHub
) -> None:
    fake.grant(fake.bot.login, Role.WRITE)
    again = made(client)
    assert again.steps == ()
    (note,) = [note for note in again.notes if note.startswith("webhook:")]
    assert "/settings/hooks: payload URL " + HOOK_URL in note
    assert "s3cret" not in note


def test_a_daemon_that_github_cannot_reach_gets_no_webhook(client: Administration, fake: FakeGitHub) -> None:
    wish = replace(WISH, hook=replace(WISH.hook, unreachable="public_url is here"))
    assert "webhook: public_url is here" in made(client, wish).notes
    assert fake.repository.hooks == {}


# ---------------------------------------------------------------- what cannot be done


def test_without_push_access_each_label_fails_with_the_missing_permission(
    client: Administration, fake: FakeGitHub
) -> None:
    fake.grant(fake.bot.login, Role.READ)
    failures = done(client, setup.look(client, REPOSITORY, WISH))
    assert [failure.step.words.split()[0] for failure in failures] == ["make", "make", "write", "write"]
    assert "issues=write" in failures[0].why
    assert "contents=write" in failures[2].why


def test_a_limit_ends_the_attempt_and_what_was_not_done_is_told(client: Administration, fake: FakeGitHub) -> None:
    plan = setup.look(client, REPOSITORY, WISH)
    fake.fail("create_label", Limited())
    failures = done(client, plan)
    assert len(failures) == 5
    assert len(fake.writes) == 1
    assert made(client).steps == ()


@pytest.mark.parametrize("reason", ["unknown", "archived"])
def test_a_repository_that_takes_nothing_is_a_problem_and_no_write(
    client: Administration, fake: FakeGitHub, reason: str
) -> None:
    if reason == "archived":
        fake.person("ann").archive_repository()
    plan = setup.look(client, REPOSITORY if reason == "archived" else "acme/none", WISH)
    assert plan.problem
    assert (plan.steps, fake.writes) == ((), [])


def test_a_renamed_repository_is_followed_and_its_new_name_told(client: Administration, fake: FakeGitHub) -> None:
    fake.person("ann").rename_repository("acme/outages")
    again = made(client)
    assert "it is called acme/outages now: change the name where it is configured" in again.notes
    assert len(fake.repository.labels) == 2


# ---------------------------------------------------------------- the calls, and the fake's answers


def test_a_file_is_read_with_the_name_that_git_gives_to_its_content(client: Administration, fake: FakeGitHub) -> None:
    fake.repository.files["a b/ü.md"] = "grün".encode()
    found = client.content(REPOSITORY, "a b/ü.md")
    assert found is not None
    assert (found.text, found.sha) == ("grün", blob_sha("grün".encode()))
    assert client.content(REPOSITORY, "a b/none.md") is None


def test_two_hundred_labels_are_read_page_by_page(client: Administration, fake: FakeGitHub) -> None:
    world = fake.person("ann").world
    for number in range(201):
        world.add_label(fake.repository, f"label {number}")
    assert len(client.labels(REPOSITORY)) == 201


@pytest.mark.parametrize(("role", "reason"), [(Role.WRITE, "invalid"), (Role.READ, "forbidden")])
def test_a_label_that_cannot_be_tells_whether_labels_may_be_made_and_leaves_nothing(
    client: Administration, fake: FakeGitHub, role: Role, reason: str
) -> None:
    fake.grant(fake.bot.login, role)
    with pytest.raises(DeliveryError) as refused:
        client.try_label(REPOSITORY)
    assert refused.value.reason == reason
    assert fake.repository.labels == {}


def test_an_issue_that_cannot_be_is_refused_and_leaves_nothing(client: Administration, fake: FakeGitHub) -> None:
    with pytest.raises(DeliveryError) as refused:
        client.try_issue(REPOSITORY)
    assert refused.value.reason == "invalid"
    assert fake.issues == []
