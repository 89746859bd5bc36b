"""severities.yaml: targets, cadence, escalation, closing and review of every severity."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Literal

from triaged.core.model import Objective, Role, Severity
from triaged.core.sla import ALWAYS, BUSINESS, Flapping, Level, SeverityPolicy, Target
from triaged.rulefiles import words
from triaged.rulefiles.values import Value

REQUIRED = ("targets", "compliance", "verify_for", "close")
KEYS = {
    "targets": "How long response and resolution may take: a duration, or working days like 1bd.",
    "compliance": "The share of the targets that you promise to meet.",
    "verify_for": "How long all must stay quiet before the incident is resolved.",
    "close": "Who closes it once resolved.",
    "calendar": "Where durations count: always (elapsed time), or while that calendar is open.",
    "at_risk": "The share of a target after which it is at risk; 0.75 if left out.",
    "reopen_within": "What begins so soon after its end reopens the incident; 24h if left out.",
    "update_every": "How often stakeholders are told.",
    "acknowledgement_for": "An acknowledgement ends after so long without anything happening.",
    "review": "When the post-incident review is due.",
    "escalation": "Who is told, level by level, while nobody takes it.",
    "flapping": "What fired again so often within a time must stay quiet for longer.",
    "close_unattended": "Whether the daemon closes what nobody took and was over in time, without a review.",
    "bridge": "Where people meet: a link, in which {{ incident }} is its name, or hook: a configured service makes it.",
    "roles": "The roles that somebody should hold; who is on call is the commander at first.",
    "ask_reporter_for": "Who reported it by opening its issue is asked whether it works again, and waited for so long.",
    "check_in_every": "How often whoever holds a role, and wrote nothing since, is asked how it goes.",
}
BRIDGE = r"(?=.{1,500}$)(hook|https?://([A-Za-z0-9._~:/?#!$&*+,;=%-]|\{\{ ?incident ?\}\})+)"
ROLES = tuple(role.value for role in Role)
FLAPPING = ("refires", "within", "verify_for")
MOST_REFIRES = 50
OBJECTIVES = tuple(objective.value for objective in Objective)
AT_RISK = 0.75
ON_CALL = (Level(after=timedelta(), notify=("on_call",)),)
"""The levels of a sev1 or a sev2 that says nothing of them: who is on call is told until somebody takes it."""
REOPEN_WITHIN = timedelta(hours=24)


def read(root: Value, calendars: Collection[str]) -> dict[Severity, SeverityPolicy]:
    """The policy of every severity; without those whose values have findings."""
    names = [severity.value for severity in Severity]
    fields = root.fields(names, required=names)
    policies = {Severity(name): _policy(value, calendars, Severity(name)) for name, value in fields.items()}
    return {severity: policy for severity, policy in policies.items() if policy is not None}


def _policy(value: Value, calendars: Collection[str], severity: Severity) -> SeverityPolicy | None:
    before = len(value.findings)
    fields = value.fields(KEYS, required=REQUIRED)
    targets = fields.read("targets", _targets) or {}
    calendar = fields.read("calendar", lambda name: name.one_of(calendars, "a calendar of calendars.yaml")) or ALWAYS
    if calendar == ALWAYS and any(target.business_days for target in targets.values()) and BUSINESS not in calendars:
        fields["targets"].complain(
            f"expected a calendar for working days (bd), got {ALWAYS}",
            f"set `calendar`, or describe a calendar {BUSINESS} in calendars.yaml",
        )
    compliance = fields.read("compliance", _compliance) or {}
    at_risk = fields.read("at_risk", _share)
    if at_risk == 1:
        fields["at_risk"].wrong("expected a share below 1")
    verify_for = fields.read("verify_for", _span)
    reopen_within = fields.read("reopen_within", _span)
    acknowledgement_for = fields.read("acknowledgement_for", _some_span)
    close = fields.read("close", lambda who: who.one_of(("person", "daemon")))
    update_every = fields.read("update_every", _some_span)
    review = fields.read("review", _review)
    escalation = fields.many("escalation", lambda levels: levels.each(lambda level: _level(level, calendars)))
    flapping = fields.read("flapping", lambda flaps: _flapping(flaps, verify_for))
    close_unattended = fields.read("close_unattended", Value.flag)
    bridge = fields.read("bridge", lambda link: link.shaped(BRIDGE, "hook, or a link like https://HOST/{{ incident }}"))
    roles = fields.many("roles", lambda names: names.names(lambda name: name.one_of(ROLES)))
    check_in_every = fields.read("check_in_every", _some_span)
    ask_reporter_for = fields.read("ask_reporter_for", _some_span)
    if len(value.findings) > before or verify_for is None:
        return None
    return SeverityPolicy(
        targets=targets,
        compliance=compliance,
        calendar=calendar,
        at_risk=AT_RISK if at_risk is None else at_risk,
        verify_for=verify_for,
        reopen_within=REOPEN_WITHIN if reopen_within is None else reopen_within,
        acknowledgement_for=acknowledgement_for,
        close=closer(close),
        update_every=update_every,
        review=review,
        escalation=escalation if "escalation" in fields or not severity.pages else ON_CALL,
        flapping=flapping,
        close_unattended=close_unattended or False,
        bridge=bridge or "",
        roles=tuple(role for role in Role if role in roles),
        check_in_every=check_in_every,
        ask_reporter_for=ask_reporter_for,
    )


def closer(word: str | None) -> Literal["person", "daemon"]:
    """Who closes, from its word."""
    return "daemon" if word == "daemon" else "person"


def _targets(value: Value) -> dict[Objective, Target]:
    found = {
        Objective(name): target
        for name, inner in value.fields(OBJECTIVES, required=OBJECTIVES).items()
        if (target := inner.plain(words.target, "a duration like 15m or 1bd")) is not None
    }
    response, resolution = found.get(Objective.RESPONSE), found.get(Objective.RESOLUTION)
    if response and resolution and response.within and resolution.within and response.within > resolution.within:
        value.complain(f"expected a response of at most the resolution, {resolution.text}, got {response.text}")
    return found


def _compliance(value: Value) -> dict[Objective, float]:
    return {
        Objective(name): share
        for name, inner in value.fields(OBJECTIVES, required=OBJECTIVES).items()
        if (share := _share(inner)) is not None
    }


def _review(value: Value) -> tuple[timedelta, timedelta] | None:
    between = value.fields(("between",), required=("between",)).get("between")
    if between is None:
        return None
    what = "an earliest and a latest time like [48h, 72h]"
    spans = between.exactly(2, _some_span, what=what)
    if len(spans) != 2:
        return None
    if between.length == 2 and spans[0] > spans[1]:
        between.complain(f"expected {what}, got the latest first")
    return spans[0], spans[1]


def _flapping(value: Value, usual: timedelta | None) -> Flapping | None:
    fields = value.fields(FLAPPING, required=FLAPPING)
    refires = fields.read("refires", lambda number: number.whole(most=MOST_REFIRES))
    within = fields.read("within", _some_span)
    verify_for = fields.read("verify_for", _some_span)
    if refires is None or within is None or verify_for is None:
        return None
    if usual is not None and verify_for < usual:
        fields["verify_for"].complain("expected at least the verify_for of what does not flap")
    return Flapping(refires=refires, within=within, verify_for=verify_for)


def _level(value: Value, calendars: Collection[str]) -> Level | None:
    fields = value.fields(("after", "notify", "repeat", "during"), required=("after", "notify"))
    after = fields.read("after", _span)
    repeat = fields.read("repeat", _some_span)
    during = fields.read("during", lambda name: name.one_of(calendars, "a calendar of calendars.yaml"))
    notify = fields.get("notify")
    told = notify.names() if notify is not None and notify.filled("at least one to notify, like on_call") else ()
    return None if after is None else Level(after=after, notify=told, repeat=repeat, during=during or ALWAYS)


def _share(value: Value) -> float | None:
    return value.plain(words.share, "a share like 0.95")


def _span(value: Value) -> timedelta | None:
    return value.plain(words.span, "a duration like 15m")


def _some_span(value: Value) -> timedelta | None:
    return value.plain(words.some_span, "a duration like 15m")
