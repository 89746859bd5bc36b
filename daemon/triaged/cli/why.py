"""An explanation on a terminal: short tables and lines, nothing of an alert obeyed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from triaged.cli.terminal import told
from triaged.core import trace, wording
from triaged.core.heartbeats import heartbeat_of
from triaged.core.matchers import Operator, written
from triaged.core.model import Alert, DeadlineKind, Objective, Tried, Verdict
from triaged.explaining.arrival import Prospect, heard
from triaged.explaining.fates import MOST_SEARCHED, Fated, Found
from triaged.explaining.incident import Explanation, Judgement
from triaged.rulefiles import RuleFiles

_SHORT = 12
_TOLD_ABOVE = frozenset({DeadlineKind.RESPONSE, DeadlineKind.RESOLUTION})
_LONGEST_REASON = 200


class Why:
    """Prints; `every` shows rules that did not match, too."""

    def __init__(self, console: Console, files: RuleFiles, *, every: bool) -> None:
        self._console = console
        self._files = files
        self._every = every

    def alert(self, alert: Alert, now: datetime, prospect: Prospect | None) -> None:
        """How an alert is judged at `now`, and what it would do."""
        rules = self._files.rules
        self._console.print()
        if (heartbeat := heartbeat_of(rules.heartbeats, alert)) is not None:
            self._line(f"{alert.status.value}  {_labels(alert.labels)}", style="bold")
            self._line(f"  arriving   it {heard(heartbeat, alert)}")
            return
        found = trace.trace(rules, alert, now)
        self._line(f"{alert.status.value}  {_labels(alert.labels)}", style="bold")
        for word in alert.mended:
            self._line(f"  mended: {word}")
        self._tried(found.tried, 0)
        self._verdict(found.verdict, trace.arithmetic(rules, found.verdict), self._targets(found.verdict))
        if found.verdict.dropped is None:
            for one in trace.growing(rules, found.verdict):
                self._line(f"  may grow   {_grows(one)}")
        if prospect is not None:
            self._line(f"  arriving   it {prospect.words}")
            for text in prospect.told:
                self._line(f"             {text}", style="dim")

    def fates(self, found: Found) -> None:
        """What became of alerts with these labels."""
        self._console.print()
        self._line("recorded so far", style="bold")
        for one in found.fates:
            rules = one.record.rule_set
            others = "" if rules == self._files.hash else ", others now"
            judged = f"  rules {rules[:_SHORT]}{others}" if rules else ""
            self._line(f"  {wording.instant(one.record.received_at)}  {_fate(one)}{judged}")
        back = f", back to {wording.instant(found.back_to)}" if found.back_to else ""
        searched = f"{wording.count(found.searched, 'record')} searched{back}"
        if found.searched >= MOST_SEARCHED:
            searched += "; older ones were not"
        if not found.fates:
            self._line("  no alert with these labels: it never arrived, is forgotten, or came with other labels")
        self._line(f"  {searched}; what repeats and changes nothing leaves no record", style="dim")

    def incident(self, found: Explanation) -> None:
        """All that led to an incident as it is."""
        incident = found.incident
        self._line(f"{incident.name}  {incident.severity}  {incident.state}  {incident.title}", style="bold")
        for sentence in found.standing:
            self._line(f"  {sentence}")
        same = "the same now" if incident.rule_set == found.rule_set_now else f"now {found.rule_set_now[:_SHORT]}"
        self._line(f"  rules      {incident.rule_set[:_SHORT]} judged it first, {same}")
        for key in found.keys:
            self._line(f"  key        {trace.pairs(key)}")
        for one in found.judgements:
            self._judgement(one, found.rule_set_now)
        if found.verdicts_left_out:
            self._console.print()
            self._line(f"… and {wording.count(found.verdicts_left_out, 'more verdict')}", style="dim")
        self._clocks(found)
        self._console.print()
        self._line("decided so far", style="bold")
        for entry in found.decisions:
            self._line(f"  {wording.instant(entry.at)}  {entry.text}")

    def _judgement(self, one: Judgement, rule_set_now: str) -> None:
        alert = one.alert
        state = "firing" if alert.ended_at is None else "ended"
        self._console.print()
        self._line(f"{state}  {_labels(alert.labels)}", style="bold")
        others = f"; {wording.count(one.alike - 1, 'more alert')} judged alike" if one.alike > 1 else ""
        self._line(f"  arrived    {wording.instant(alert.begun_at)} from {alert.source}{others}")
        self._tried(one.tried, one.untold)
        if one.note:
            self._line(f"  {one.note}")
        if one.verdict is not None:
            self._verdict(one.verdict, one.arithmetic, "")
        for grows, sees in one.growing:
            word = "grew" if grows.held else "may grow"
            self._line(f"  {word:<10} {_grows(grows)}{f'; sees {sees}' if sees else ''}")
        self._line(f"  judged by  {one.rule_set[:_SHORT] or 'no rules'}")
        if one.verdict is not None and one.arithmetic is not None:
            self._today(one.today, same=one.rule_set == rule_set_now)

    def _today(self, today: Sequence[trace.Difference], *, same: bool) -> None:
        if not today:
            self._line(f"  today      {'the same rules' if same else 'other rules'}, the same verdict")
        for one in today:
            said = f"{one.of}: {one.now or 'none'}, then {one.then or 'none'}"
            if one.of == "dropped" and one.now:
                said = f"a new alert like it would be dropped ({one.now}); this one stays as it was judged"
            self._line(f"  today      {said}", style="yellow")

    def _clocks(self, found: Explanation) -> None:
        self._console.print()
        self._line("clocks", style="bold")
        for objective in found.objectives:
            outcome = str(objective.outcome or "undecided").replace("_", " ")
            due = wording.instant(objective.due_at)
            self._line(f"  {objective.objective:<10} due {due}: {objective.derived}; {outcome}")
        for due_ in (one for one in found.deadlines if one.kind not in _TOLD_ABOVE):
            kind = str(due_.kind).replace("_", " ")
            derived = f": {due_.derived}" if due_.derived else ""
            self._line(f"  next       {wording.instant(due_.due_at)} {kind}{derived}")
        if not found.objectives and not found.deadlines:
            self._line("  none runs")

    def _tried(self, tried: Sequence[Tried], untold: int) -> None:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for column in ("", "rule", "because of", "sets"):
            table.add_column(column, overflow="fold")
        shown = [one for one in tried if self._every or one.matched]
        for one in shown:
            for row in _rows(one):
                table.add_row(*row)
        if shown:
            self._console.print(table)
        if hidden := len(tried) - len(shown):
            self._line(f"  {wording.count(hidden, 'rule')} did not match (--every shows why)", style="dim")
        if untold:
            self._line(f"  … and {wording.count(untold, 'more rule')} that did not match", style="dim")

    def _verdict(self, verdict: Verdict, sum_: trace.Arithmetic | None, targets: str) -> None:
        if verdict.dropped is not None:
            self._line(f"  dropped: {verdict.dropped}")
            return
        arithmetic = trace.in_words(sum_) if sum_ else f"impact {verdict.impact} × urgency {verdict.urgency}"
        self._line(f"  severity   {sum_.severity if sum_ else verdict.severity}  ({arithmetic})")
        self._line(f"  category   {verdict.category}   team {verdict.team}   service {verdict.service or '–'}")
        self._line(f"  key        {trace.pairs(verdict.key)}")
        if targets:
            self._line(f"  targets    {targets}")

    def _targets(self, verdict: Verdict) -> str:
        policy = self._files.policy.severities[verdict.severity]
        targets = ", ".join(f"{objective} {policy.targets[objective].text}" for objective in Objective)
        return targets + (f"; held back for {wording.span(verdict.delay)}" if verdict.delay else "")

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(told(text, style=style), soft_wrap=True)


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(written(name, Operator.EQUAL, value) for name, value in sorted(labels.items()))


def _rows(tried: Tried) -> Iterator[tuple[Text, ...]]:
    if not tried.matched:
        saw = f", saw {tried.saw!r}" if tried.failed and tried.saw else ""
        yield told("–", style="dim"), told(tried.rule, style="dim"), told(f"{tried.failed}{saw}", style="dim"), told("")
        return
    sets = ", ".join(f"{name}: {value}" for name, value in tried.sets.items())
    yield told("✓", style="green"), told(tried.rule), told(tried.because), told(sets)
    for condition, saw in tried.held:
        # An equality says itself what it saw.
        told_twice = condition.endswith(f'="{saw}"') and not condition.endswith(f'!="{saw}"')
        yield told(""), told(""), told(condition if told_twice else f"{condition}, saw {saw!r}", style="dim"), told("")


def _grows(one: trace.Grows) -> str:
    sets = ", ".join(f"{name} {value}" for name, value in one.sets.items())
    return f"{one.name}: {one.when} → {sets}{f' ({one.because})' if one.because else ''}"


def _fate(one: Fated) -> str:
    record, incident = one.record, one.incident
    where = ""
    if incident is not None:
        folded = f", folded into INC-{incident.parent}" if incident.parent is not None else ""
        reason = f" ({incident.close_reason})" if incident.close_reason is not None else ""
        where = f" in {incident.name}, {incident.state}{reason}{folded} now"
    elif record.incident_id is not None:
        where = f" in INC-{record.incident_id}, forgotten since"
    # Of what failed the reason is a traceback; its last line says it.
    lines = record.reason.strip().splitlines()
    why = f": {lines[-1][:_LONGEST_REASON]}" if lines else ""
    return f"{record.fate}{where}{why}"
