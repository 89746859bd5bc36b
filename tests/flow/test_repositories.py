"""Where issues are made: in the repository of rule, service, team, or the common one; restricted ones in theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fakes.github import FakeGitHub, LostAnswer
from fakes.github.state import Issue, Repository
from severities import severities
from triaged.app import App
from triaged.clock import FakeClock
from triaged.config import BackendSettings, GitHubSettings, Settings
from triaged.errors import ConfigError
from world import START, alert, settings_for, world

MINUTE = timedelta(minutes=1)
TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: minor, urgency: high, category: error, team: platform}
key: [alertname]
rules:
- {name: ours, match: ['alertname="Ours"'], repository: acme/rule}
- {name: paying, match: ['alertname=~"Ours|Theirs"'], team: payments}
- {name: secret, match: ['secret="yes"'], restricted: true}
"""
SERVICES = """
services:
  shop: {match: ['alertname=~"Ours|Shop"'], team: payments, repository: acme/shop}
teams:
  platform: {}
  payments: {repository: acme/pay}
"""
REPOSITORIES = ("acme/rule", "acme/pay", "acme/shop", "acme/secret")


class Hub:
    """GitHub with all the repositories, and a daemon on it."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock(START)
        self.github = FakeGitHub(now=self.clock.now)
        self._folder = tmp_path
        rules = tmp_path / "rules"
        rules.mkdir()
        (rules / "triage.yaml").write_text(TRIAGE)
        (rules / "services.yaml").write_text(SERVICES)
        (rules / "severities.yaml").write_text(severities(verify_for=(10,) * 4, close=("daemon",) * 4))
        self._rules = rules

    def start(self) -> None:
        self.github.__enter__()
        self.others: dict[str, Repository] = {name: self.github.add_repository(name) for name in REPOSITORIES}

    def settings(self, restricted: str | None = None, repositories: tuple[str, ...] = ()) -> Settings:
        github = GitHubSettings(
            repository=self.github.repository.full_name,
            api_url=self.github.url,
            token=self.github.token,
            restricted_repository=restricted,
            repositories=repositories,
        )
        backend = BackendSettings(type="github", github=github)
        return settings_for(self._folder, self.github).model_copy(update={"rules": self._rules, "backend": backend})

    def write(self, triage: str) -> None:
        (self._rules / "triage.yaml").write_text(triage)

    def issues(self, name: str) -> list[Issue]:
        return list(self.others[name].issues.values())


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    made.start()
    yield made
    made.github.__exit__(None, None, None)


def test_a_rule_s_repository_comes_first_then_the_service_s_the_team_s_and_the_common_one(hub: Hub) -> None:
    with world(hub.settings(), hub.clock) as daemon:
        daemon.deliver(alert("Ours"), alert("Theirs"), alert("Anything"), alert("Shop"))
        daemon.advance(MINUTE)
        places = [row.address.repository for row in daemon.rows() if row.address]
        assert places == ["acme/rule", "acme/pay", hub.github.repository.full_name, "acme/shop"]
        titles = [hub.issues(name)[0].title for name in ("acme/rule", "acme/pay", "acme/shop")]
        assert titles == ["INC-1 Ours", "INC-2 Theirs", "INC-4 Shop"]


def test_rules_that_name_a_repository_which_is_not_allowed_do_not_start_and_are_not_loaded(hub: Hub) -> None:
    with pytest.raises(
        ConfigError, match=r"services.yaml:\d+:\d+: teams.payments.repository: expected one of .*'acme/pay'"
    ):
        App(hub.settings(repositories=("acme/rule", "acme/shop")), hub.clock)
    with world(hub.settings(repositories=("Acme/*",)), hub.clock) as daemon:
        hub.write(TRIAGE.replace("acme/rule", "elsewhere/rule"))
        (told,) = daemon.app.reload()
        assert told.startswith("triage.yaml:")
        assert "rules[0].repository: expected one of the repositories of the configuration: Acme/* or acme/i" in told
        hub.write(TRIAGE.replace("acme/rule", "acme/pay"))
        assert daemon.app.reload() == []


def test_what_was_routed_to_a_repository_that_is_allowed_no_more_goes_to_the_common_one(hub: Hub) -> None:
    with world(hub.settings(), hub.clock) as daemon:
        daemon.deliver(alert("Ours"))
    hub.write(TRIAGE.replace(", repository: acme/rule", ""))
    with world(hub.settings(repositories=("acme/pay", "acme/shop")), hub.clock) as daemon:
        daemon.advance(MINUTE)
        assert daemon.incidents()[0].repository == "acme/rule"
        assert hub.issues("acme/rule") == []
        assert [issue.title for issue in hub.github.issues] == ["INC-1 Ours"]


def test_an_issue_elsewhere_is_updated_and_closed_where_it_is(hub: Hub) -> None:
    with world(hub.settings(), hub.clock) as daemon:
        daemon.deliver(alert("Theirs"))
        daemon.advance(MINUTE)
        daemon.deliver(alert("Theirs", status="resolved", ends=hub.clock.now()))
        daemon.advance(30 * MINUTE)
    (issue,) = hub.issues("acme/pay")
    assert (issue.state, issue.state_reason) == ("closed", "completed")


def test_a_create_whose_answer_was_lost_is_looked_for_where_it_went(hub: Hub) -> None:
    hub.github.list_lag = timedelta(seconds=60)
    hub.github.fail("create_issue", LostAnswer())
    with world(hub.settings(), hub.clock) as daemon:
        daemon.deliver(alert("Theirs"))
        daemon.advance(10 * MINUTE)
        assert len(hub.issues("acme/pay")) == 1
        assert hub.github.issues == []
        assert daemon.rows()[0].address is not None


def test_a_restricted_incident_is_told_whole_in_its_own_repository(hub: Hub) -> None:
    with world(hub.settings("acme/secret"), hub.clock) as daemon:
        daemon.deliver(alert("Ours", labels={"secret": "yes"}))
        daemon.advance(MINUTE)
    (issue,) = hub.issues("acme/secret")
    assert hub.issues("acme/rule") == []
    assert "Some requests fail." in (issue.body or "")


def test_without_a_repository_of_its_own_a_restricted_incident_shows_title_and_link_only(hub: Hub) -> None:
    with world(hub.settings(), hub.clock) as daemon:
        daemon.deliver(alert("Anything", labels={"secret": "yes"}))
        daemon.advance(MINUTE)
    (issue,) = hub.github.issues
    assert "Some requests fail." not in (issue.body or "")
    assert "http" in (issue.body or "")


def test_what_becomes_restricted_later_tells_no_more_where_everybody_reads(hub: Hub) -> None:
    with world(hub.settings("acme/secret"), hub.clock) as daemon:
        daemon.deliver(alert("Anything"))
        daemon.advance(MINUTE)
        (issue,) = hub.github.issues
        assert "Some requests fail." in (issue.body or "")
        daemon.deliver(alert("Anything", labels={"secret": "yes", "pod": "b"}))
        daemon.advance(MINUTE)
    (issue,) = hub.github.issues
    assert "Some requests fail." not in (issue.body or "")
    assert hub.issues("acme/secret") == []


def test_a_create_that_may_have_gone_out_whole_is_not_sent_elsewhere(hub: Hub) -> None:
    """It became restricted while the answer was lost: it is found where it is, and hidden there."""
    hub.github.list_lag = timedelta(seconds=60)
    hub.github.fail("create_issue", LostAnswer())
    with world(hub.settings("acme/secret"), hub.clock) as daemon:
        daemon.deliver(alert("Anything"))
        daemon.settle()
        daemon.deliver(alert("Anything", labels={"secret": "yes", "pod": "b"}))
        daemon.advance(10 * MINUTE)
    (issue,) = hub.github.issues
    assert "Some requests fail." not in (issue.body or "")
    assert hub.issues("acme/secret") == []
