"""`triaged github`: repositories made ready for work, and GitHub asked whether it lets us work there."""

from __future__ import annotations

import ipaddress
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.console import Console

from triaged import config, defaults, rulefiles, secretfile
from triaged.backends.github import probing, setup, templates
from triaged.backends.github.administration import Administration
from triaged.backends.github.labels import labels_of
from triaged.backends.github.transport import Access, Surroundings
from triaged.cli.terminal import plain_lines, screen, told
from triaged.clock import Clock, SystemClock
from triaged.config import GitHubSettings, Settings
from triaged.configured import default_config, github_of, secret_of
from triaged.core import wording
from triaged.core.rules import RuleSet
from triaged.errors import ConfigError
from triaged.ports.probe import Probed, Standing, failing
from triaged.secretfile import Secret

WEBHOOK_PATH: Final = "/api/v1/github/webhook"
_PATIENCE: Final = timedelta(seconds=11)
"""GitHub ends a request itself after ten."""
_ASKED: Final = "the daemon asks GitHub for news itself"

app = typer.Typer(help="GitHub: make repositories ready.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """With one verb alone, that would be no group of verbs."""


@app.command("setup")
def run(
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Configuration; ./config.yaml where there is one.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before making changes.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
) -> None:
    """Show what repositories lack of labels, issue templates and webhook, and make it; what people chose stays."""
    settings = config.load(config_file or default_config())
    github = configured(settings)
    clock = SystemClock()
    rules = rulefiles.load(settings.rules or defaults.RULES, today=clock.now().date()).rules
    wish = setup.Wish(labels=labels_of(rules), files=templates.files(), hook=hook_of(settings, github))
    client = _opened(settings, clock)
    try:
        plans = [setup.look(client, repository, wish) for repository in repositories(github, rules)]
        ok = _carried_out(plans, _waiting(clock), yes=yes, dry_run=dry_run)
    finally:
        client.close()
    raise typer.Exit(0 if ok else 1)


def configured(settings: Settings) -> GitHubSettings:
    """What the configuration says of GitHub, also where issues go elsewhere as yet. Raises ConfigError."""
    if settings.backend.github is None:
        raise ConfigError("backend.github: expected repository and a credential, found none")
    return settings.backend.github


def repositories(github: GitHubSettings, rules: RuleSet | None) -> tuple[str, ...]:
    """Where issues are made: the common repository, that of restricted incidents, those that are allowed or named."""
    named = [github.repository, github.restricted_repository]
    named += [name for name in github.repositories if not name.endswith("/*")]
    if rules is not None:
        named += [service.repository for service in rules.services.values()]
        named += [team.repository for team in rules.teams.values()]
        named += [rule.repository for rule in rules.rules]
    return tuple({name.lower(): name for name in reversed(named) if name}.values())[::-1]


def hook_of(settings: Settings, github: GitHubSettings) -> setup.HookWish:
    """The webhook to have, or why there is none. Raises ConfigError where its secret cannot be read."""
    secret, unreachable = github.webhook_secret_file, _unreachable(settings.public_url)
    if secret is not None:
        secretfile.first(secret, Secret.TOKEN)
    url = f"{settings.public_url}{WEBHOOK_PATH}"
    if not unreachable and github.app is not None:
        unreachable = (
            f"a GitHub App has its own for all repositories; set its URL to {url}, its secret to that of "
            f"webhook_secret_file, and its events to {', '.join(setup.EVENTS)} in the App's settings"
        )
    if not unreachable and secret is None:
        unreachable = f"backend.github.webhook_secret_file is not configured: {_ASKED}"
    return setup.HookWish(url=url, secret=partial(secret_of, None, secret, Secret.TOKEN), unreachable=unreachable)


def _unreachable(public_url: str) -> str:
    """Why nobody else can call us there; "" where somebody may."""
    host = urlsplit(public_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
        here = address.is_loopback or address.is_unspecified
    except ValueError:
        here = host == "localhost" or host.endswith(".localhost")
    return f"GitHub cannot reach public_url ({public_url}): {_ASKED}" if here else ""


def _opened(settings: Settings, clock: Clock) -> Administration:
    """Raises ConfigError where the credential cannot be read."""
    github = github_of(settings)
    access = Access(api_url=github.api_url, token=github.token, app=github.app, timeout=_PATIENCE)
    return Administration(access, Surroundings(now=clock.now, pause=_waiting(clock)))


def _waiting(clock: Clock) -> Callable[[float], None]:
    def wait(span: float) -> None:
        clock.wait(threading.Event(), timedelta(seconds=span))

    return wait


# ---- shown, asked, done


def _carried_out(plans: Sequence[setup.Plan], pause: Callable[[float], None], *, yes: bool, dry_run: bool) -> bool:
    """Whether everything is as it should be, or was made so, or was only to be shown."""
    console = screen()
    for plan in plans:
        _show(console, plan)
    wanted = sum(len(plan.steps) for plan in plans)
    fit = not any(plan.problem for plan in plans)
    if not wanted:
        console.print("nothing to do" if fit else "nothing that could be done")
        return fit
    if dry_run:
        console.print(f"{wording.count(wanted, 'change')} to make; nothing was changed")
        return fit
    if not yes and not _agreed(wanted):
        console.print("nothing was changed")
        return False
    failures = [(plan, failure) for plan in plans for failure in _done(console, plan, pause)]
    for plan, failure in failures:
        words = f"{plan.repository}: not done: {failure.step.words}: {failure.why}"
        console.print(told(words, style="bold red"), soft_wrap=True)
        if failure.step.by_hand:
            console.print(plain_lines(failure.step.by_hand), soft_wrap=True, markup=False)
    console.print(f"{wanted - len(failures):,} of {wording.count(wanted, 'change')} made")
    return fit and not failures


def _show(console: Console, plan: setup.Plan) -> None:
    console.print(told(plan.repository, style="bold"))
    if plan.problem:
        console.print(told(f"  ! {plan.problem}", style="bold red"), soft_wrap=True)
    for step in plan.steps:
        console.print(told(f"  + {step.words}", style="green"), soft_wrap=True)
    for note in plan.notes:
        console.print(told(f"    {note}", style="dim"), soft_wrap=True)


def _agreed(wanted: int) -> bool:
    """Whether somebody said yes. Raises ConfigError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{wording.count(wanted, 'change')} to make: expected --yes, or a terminal to ask at")
    return typer.confirm(f"Make {'this change' if wanted == 1 else f'these {wanted:,} changes'}?")


def _done(console: Console, plan: setup.Plan, pause: Callable[[float], None]) -> tuple[setup.Failure, ...]:
    def tell(step: setup.Step) -> None:
        console.print(told(f"{plan.repository}: done: {step.words}"), soft_wrap=True)

    return setup.apply(plan, pause, tell)


# ---- triaged check --live


def live(settings: Settings, rules: RuleSet | None, clock: Clock, *, write: bool) -> Iterator[Probed]:
    """Whether GitHub lets us do what publishing needs, in every repository where issues are made."""
    github = configured(settings)
    try:
        credential = _credential(github)
        client = _opened(settings, clock)
    except ConfigError as error:
        yield failing(probing.WHAT, str(error), "see backend.github in the configuration")
        return
    try:
        yield from probing.probe_credential(client, credential, clock.now())
        for repository in repositories(github, rules):
            found = [*probing.probe_repository(client, repository, credential)]
            yield from found
            if write and not any(one.standing is Standing.ERROR for one in found):
                yield from probing.write_probe(client, repository, _waiting(clock))
    finally:
        client.close()


def _credential(github: GitHubSettings) -> probing.Credential:
    if github.app is not None:
        return probing.Credential(api_url=github.api_url)
    token = secret_of(github.token, github.token_file, Secret.TOKEN)
    return probing.Credential(api_url=github.api_url, kind=probing.kind_of(token))
