"""`triaged check --live`: all that the configuration names is asked at once, within a minute, and told line by line."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from rich.console import Console
from rich.text import Text

from triaged.cli import probes
from triaged.cli.findings import escaped
from triaged.cli.terminal import told
from triaged.clock import SystemClock, seconds
from triaged.config import Settings
from triaged.core import wording
from triaged.core.rules import RuleSet
from triaged.ports.probe import Probed, Standing, failing

WITHIN: Final = timedelta(seconds=60)
_STYLES: Final = {Standing.OK: "green", Standing.WARNING: "bold yellow", Standing.ERROR: "bold red"}
_WIDTH: Final = max(map(len, Standing))

Ask = Callable[[], Iterator[Probed]]


def asks(settings: Settings, rules: RuleSet | None, *, send: bool, write: bool) -> dict[str, Ask]:
    """What is to be asked, by the name that is told where no answer comes in time."""
    found: dict[str, Ask] = {}
    if settings.backend.type == "github":
        found["github"] = partial(_github, settings, rules, write=write)
    else:
        found["backend"] = partial(probes.local, settings)
    for one in settings.alertmanagers:
        found[f"alertmanager {one.name}"] = partial(probes.alertmanager, one)
    if settings.prometheus is not None:
        found["prometheus"] = partial(probes.prometheus, settings)
    for name, channel in settings.channels.items():
        found[f"channel {name}"] = partial(probes.channel, name, channel, settings.public_url, send=send)
    if rules is not None and settings.channels:
        found["people"] = partial(probes.people, settings, rules)
    if settings.heartbeat is not None:
        found["heartbeat"] = partial(probes.host, "heartbeat", settings.heartbeat.url, settings.heartbeat.url_file)
    if settings.bridge is not None:
        found["bridge"] = partial(probes.host, "bridge", settings.bridge.hook_url, settings.bridge.hook_url_file)
    return found


def answers(asked: Mapping[str, Ask], within: timedelta = WITHIN) -> list[Probed]:
    """What all of them say, in their order; whoever is not done in time is told as an error."""
    said: dict[str, list[Probed]] = {name: [] for name in asked}
    done: set[str] = set()

    def run(name: str, ask: Ask) -> None:
        for one in ask():
            said[name].append(one)
        done.add(name)

    threads = {name: threading.Thread(target=run, args=(name, ask), daemon=True) for name, ask in asked.items()}
    until = seconds() + within.total_seconds()
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(until - seconds(), 0))
        if thread.is_alive():
            hint = "is it up, and may this machine reach it?"
            said[name] = [*said[name], failing(name, f"not done after {within.total_seconds():g} s", hint)]
        elif name not in done:
            said[name].append(failing(name, "a bug kept it from being asked", "report what is shown above"))
    return [one for several in said.values() for one in several]


def _github(settings: Settings, rules: RuleSet | None, *, write: bool) -> Iterator[Probed]:
    from triaged.cli.github import live  # noqa: PLC0415 - loaded where GitHub is the backend

    yield from live(settings, rules, SystemClock(), write=write)


def fails(found: Sequence[Probed], *, strict: bool) -> bool:
    """Whether the command ends with 1."""
    return any(one.standing is Standing.ERROR or (strict and one.standing is Standing.WARNING) for one in found)


def write_text(console: Console, found: Sequence[Probed]) -> None:
    for one in found:
        head = told(f"{one.standing:<{_WIDTH}}  ", style=_STYLES[one.standing])
        hint = told(f"; {one.hint}" if one.hint else "", style="dim")
        console.print(Text.assemble(head, told(f"{one.what}: ", style="bold"), told(one.message), hint), soft_wrap=True)
    console.print(told(f"asked: {_counted(found)}"), soft_wrap=True)


def write_github(console: Console, found: Sequence[Probed]) -> None:
    """Workflow commands without a file: they are shown on the run's page."""
    for one in found:
        if one.standing is not Standing.OK:
            words = f"{one.message}; {one.hint}" if one.hint else one.message
            line = f"::{one.standing} title={escaped(one.what, also=':,')}::{escaped(words)}"
            console.print(Text(line), soft_wrap=True)


def as_json(found: Sequence[Probed]) -> list[dict[str, str]]:
    return [{"what": one.what, "level": one.standing, "message": one.message, "hint": one.hint} for one in found]


def _counted(found: Sequence[Probed]) -> str:
    counts = Counter(one.standing for one in found)
    words = [f"{counts[Standing.OK]:,} ok"]
    words += [wording.count(counts[level], level) for level in (Standing.WARNING, Standing.ERROR) if counts[level]]
    return ", ".join(words)
