"""What a backtest found, for a terminal, for programs, and for a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from triaged.cli.terminal import plain, told
from triaged.core import wording
from triaged.replay.backtest import Backtest
from triaged.replay.backtest_compare import Compared, Difference, Kind, Sums
from triaged.replay.backtest_outcomes import Outcome

_LONGEST: Final = 120
# GitHub takes comments of 65,536 characters.
_MOST_CHARACTERS: Final = 60_000
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#|~@&])")
_WORDS: Final = {
    "severity": "severity",
    "team": "team",
    "opened_at": "opened",
    "alerts": "alerts",
    "pages": "pages",
    "response": "response breaches",
    "resolution": "resolution breaches",
}
_MANY: Final = {
    Kind.APPEARS: "would appear",
    Kind.VANISHES: "would vanish",
    Kind.MERGES: "merges",
    Kind.SPLITS: "splits",
    Kind.REGROUPS: "regroupings",
}


class Row(Struct, frozen=True, kw_only=True):
    """One difference in words."""

    kind: str
    incident: str
    before: str
    after: str


def headline(compared: Compared) -> str:
    """`14 sev3 become sev2, 3 more pages, 22 issues fewer`: the totals in one sentence."""
    parts = [
        f"{number:,} {former} {'becomes' if number == 1 else 'become'} {latter}"
        for (former, latter), number in compared.moved.items()
    ]
    for noun, before, after in _sums(compared):
        if before != after:
            plain = noun if abs(after - before) != 1 else _one(noun)
            parts.append(f"{abs(after - before):,} {plain} {'more' if after > before else 'fewer'}")
    if parts:
        return ", ".join(parts)
    if compared.number:
        verb = "differs" if compared.number == 1 else "differ"
        return f"the totals stay; {wording.count(compared.number, 'incident')} {verb} in other ways"
    return "no difference"


def table(console: Console, result: Backtest, limit: int) -> None:
    """Totals first, then the differences, gravest first, then what could not be replayed."""
    compared = result.compared
    console.print(told(_replayed(result)))
    console.print()
    console.print(told(_sentence(headline(compared)), style="bold"))
    console.print()
    totals = Table(box=None, pad_edge=False)
    totals.add_column("")
    for column in ("in force", "other", ""):
        totals.add_column(column, justify="right")
    for noun, before, after in _every_sum(compared):
        totals.add_row(told(noun), f"{before:,}", f"{after:,}", _signed(after - before))
    console.print(totals)
    if kinds := _kinds(compared):
        console.print()
        console.print(told(kinds))
    rows = list(_rows(compared, limit))
    if rows:
        listed = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in ("", "incident", "in force", "other"):
            listed.add_column(column, overflow="fold")
        for row in rows:
            listed.add_row(told(row.kind), told(row.incident), told(row.before), told(row.after))
        console.print()
        console.print(listed)
    if left := compared.number - len(rows):
        console.print(told(f"… and {wording.count(left, 'difference')} more (--limit)", style="dim"))
    for note in _notes(result):
        console.print()
        console.print(told(f"Note: {note}.", style="dim"))


def as_json(result: Backtest, limit: int) -> str:
    """All of it; instants as RFC 3339, severities by name."""
    compared = result.compared
    moved = [{"from": former, "to": latter, "incidents": number} for (former, latter), number in compared.moved.items()]
    differences = compared.differences[:limit]
    found: dict[str, Any] = {
        "since": result.span.since,
        "until": result.span.until,
        "rule_set": result.rule_set,
        "rule_sets_in_force": result.former,
        "alerts": result.extent.records,
        "summary": headline(compared),
        "before": compared.before,
        "after": compared.after,
        "severity_changes": moved,
        "kinds": {kind.value: compared.kinds[kind.value] for kind in Kind},
        "differences": differences,
        "differences_not_listed": compared.number - len(differences),
        "not_reproduced": result.reproduced.number,
        "notes": tuple(_notes(result)),
    }
    return json.dumps(msgspec.to_builtins(found), indent=2)


def markdown(result: Backtest, limit: int) -> str:
    """A comment for a pull request: totals, and the list folded away; bounded as GitHub bounds comments."""
    compared = result.compared
    lines = [
        f"### Backtest: {headline(compared)}",
        "",
        f"{_escaped(_replayed(result))}",
        "",
        "| | in force | these rules | |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {noun} | {before:,} | {after:,} | {_signed(after - before)} |"
        for noun, before, after in _every_sum(compared)
    ]
    if kinds := _kinds(compared):
        lines += ["", kinds]
    listed: list[str] = []
    left = _MOST_CHARACTERS - sum(map(len, lines))
    for row in _rows(compared, limit):
        cells = (row.kind, row.incident, row.before, row.after)
        line = f"| {' | '.join(map(_escaped, cells))} |"
        left -= len(line) + 1
        if left < 0:
            break
        listed.append(line)
    if listed:
        lines += ["", "<details>", f"<summary>{wording.count(compared.number, 'difference')}</summary>", ""]
        lines += ["| | incident | in force | these rules |", "|---|---|---|---|", *listed, ""]
        if more := compared.number - len(listed):
            lines += [f"… and {more:,} more.", ""]
        lines.append("</details>")
    notes = [f"- {_escaped(note)}" for note in _notes(result)]
    if notes:
        lines += ["", "<details>", "<summary>What could not be replayed</summary>", "", *notes, "", "</details>"]
    return "\n".join(lines)


def _replayed(result: Backtest) -> str:
    sets = wording.count(len(result.former), "rule set")
    return (
        f"{wording.count(result.extent.records, 'recorded alert')} from {wording.instant(result.span.since)} to "
        f"{wording.instant(result.span.until)}: {sets} in force against {result.rule_set}"
    )


def _sums(compared: Compared) -> Iterator[tuple[str, int, int]]:
    before, after = compared.before, compared.after
    yield "pages", before.pages, after.pages
    yield "issues", before.issues, after.issues
    yield "response breaches", before.response, after.response
    yield "resolution breaches", before.resolution, after.resolution


def _every_sum(compared: Compared) -> Iterator[tuple[str, int, int]]:
    yield from _sums(compared)
    for severity in sorted({*compared.before.severities, *compared.after.severities}):
        yield f"issues {severity}", _of(compared.before, severity), _of(compared.after, severity)


def _of(side: Sums, severity: str) -> int:
    return side.severities.get(severity, 0)


def _kinds(compared: Compared) -> str:
    parts = [f"{number:,} {words}" for kind, words in _MANY.items() if (number := compared.kinds[kind.value])]
    parts += [f"{number:,} with other {_WORDS[name]}" for name, number in compared.fields.most_common()]
    return ", ".join(parts)


def _rows(compared: Compared, limit: int) -> Iterator[Row]:
    for one in compared.differences[:limit]:
        match one.kind:
            case Kind.APPEARS:
                yield Row(kind=one.kind, incident=_name(one.after[0]), before="–", after=_whole(one.after[0]))
            case Kind.VANISHES:
                yield Row(kind=one.kind, incident=_name(one.before[0]), before=_whole(one.before[0]), after="–")
            case Kind.CHANGES:
                (former,), (latter,) = one.before, one.after
                yield Row(
                    kind=one.kind,
                    incident=_name(former),
                    before=", ".join(_value(former, name) for name in one.changed),
                    after=", ".join(_value(latter, name) for name in one.changed),
                )
            case _:
                yield Row(
                    kind=one.kind,
                    incident=wording.count(one.before_number, "incident"),
                    before=_several(one.before, one.before_number),
                    after=_several(one.after, one.after_number),
                )


def _several(outcomes: tuple[Outcome, ...], number: int) -> str:
    more = f" … and {number - len(outcomes):,} more" if number > len(outcomes) else ""
    return "; ".join(f"{outcome.severity} {_name(outcome)}" for outcome in outcomes) + more


def _name(outcome: Outcome) -> str:
    name = f"{outcome.name} {outcome.title}".strip()
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _whole(outcome: Outcome) -> str:
    parts = [outcome.severity, outcome.team, f"opened {wording.instant(outcome.opened_at)}"]
    parts.append(wording.count(outcome.alerts, "alert"))
    if outcome.pages:
        parts.append(wording.count(outcome.pages, "page"))
    parts += [f"{name} breached" for name in ("response", "resolution") if getattr(outcome, name)]
    return ", ".join(parts)


def _value(outcome: Outcome, name: str) -> str:
    match name:
        case "severity" | "team":
            return str(getattr(outcome, name))
        case "opened_at":
            return f"opened {outcome.opened_at:%Y-%m-%d %H:%M:%S} UTC"
        case _:
            number = getattr(outcome, name)
            return f"{number:,} {_WORDS[name] if number != 1 else _one(_WORDS[name])}"


def _notes(result: Backtest) -> Iterator[str]:
    yield from result.notes
    if number := result.reproduced.number:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(result.reproduced.kinds.items()))
        examples = "; ".join(_example(one) for one in result.reproduced.differences[:3])
        yield (
            f"replayed under the rules in force, {wording.count(number, 'incident')} do not come out as recorded "
            f"(from the record to its replay: {kinds}), such as {examples}"
        )


def _example(one: Difference) -> str:
    name = _name((*one.before, *one.after)[0])
    if one.kind is Kind.CHANGES:
        (former,), (latter,) = one.before, one.after
        changes = (f"{_value(former, field)} → {_value(latter, field)}" for field in one.changed)
        return f"{name} ({', '.join(changes)})"
    return f"{name} ({one.kind})"


def _one(noun: str) -> str:
    return noun.removesuffix("es") if noun.endswith("breaches") else noun.removesuffix("s")


def _signed(number: int) -> str:
    return f"{number:+,}" if number else ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _escaped(text: str) -> str:
    """Text that Markdown takes as it is: no links, no tables, nobody mentioned."""
    line = plain(" ".join(text.split()))
    return _MARKDOWN.sub(lambda found: "&#64;" if found[0] == "@" else f"\\{found[0]}", line)
