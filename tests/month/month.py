"""The month: everything put together, what breaks and mends, and what must be true at quiet moments and in the end."""

from __future__ import annotations

import heapq
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations, count
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from sqlalchemy import func, select

from fakes.github import FakeGitHub, LostAnswer
from month.alertmanager import SNAPSHOT_EVERY, Member, Quiet
from month.daemon import Daemon, Killed
from month.life import (
    ALERTS,
    DAY,
    DROPPED,
    ELSEWHERE,
    FLAPS,
    HEARTBEATS,
    HOUR,
    INHIBITIONS,
    MINUTE,
    TRIAGE,
    WATCHDOG,
    lasts,
    routes,
    until_next,
)
from month.prometheus import EVERY, Labels, Prometheus
from triaged import defaults
from triaged.clock import FakeClock
from triaged.config import AlertmanagerSettings
from triaged.core.events import Acknowledged
from triaged.intake.units import Ask
from triaged.store import schema as s
from world import ANN, START, settings_for

SETTLES_AFTER: Final = 30 * MINUTE
"""After the last outage the world needs at most: a minute until Prometheus sends again; 10 until reconciliation trusts
an Alertmanager that restarted, and two rounds; or 4 until an alert is given up, 5 until the group is looked at, 5 for a
flush that is tried again. The longest chain is 4 + 10 + 5 + 5 and some rounds."""
TOLD_AFTER: Final = 10 * MINUTE
"""So long after it began or ended it has come here, while nothing is broken: `group_interval` twice."""
PUBLISHED_AFTER: Final = 2 * HOUR
"""The longest wait before a write that failed is tried again is a minute, or 15 where the backend refused it."""

NOT_OURS: Final = frozenset({ELSEWHERE, DROPPED, WATCHDOG})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What kind of month it is; `seed` decides all else."""

    seed: int
    pair: bool = False
    github: bool = False
    days: int = 30
    busy: float = 1.0

    def __str__(self) -> str:
        kind = " ".join(word for word, so in (("pair", self.pair), ("github", self.github)) if so) or "alone"
        return f"seed {self.seed} ({kind}, {self.days} days, busy {self.busy:g})"


class Month:
    """One month in one folder."""

    def __init__(self, plan: Plan, folder: Path, github: FakeGitHub | None, clock: FakeClock) -> None:
        self.plan = plan
        self.random = random = Random(plan.seed)
        self.clock = clock
        self.folder = folder
        self.github = github
        self.ends_at = START + plan.days * DAY
        self.prometheus = Prometheus(ALERTS, restores=random.random() < 0.3)
        self.prometheus.holds.add(WATCHDOG)
        names = ["am0", "am1"] if plan.pair else ["am0"]
        most = random.choice([0, 2])
        self.members = [
            Member(
                name,
                routes=routes(most),
                inhibitions=INHIBITIONS,
                send=self._send,
                peers=self._peers,
                now=START - DAY,
            )
            for name in names
        ]
        entry = AlertmanagerSettings(
            name="main", urls=tuple(f"http://{name}.invalid" for name in names), receiver="tri.*"
        )
        settings = settings_for(folder, github).model_copy(
            update={"alertmanagers": (entry,), "rules": _rules(folder / "rules")}
        )
        self.daemon = Daemon(settings, clock, self.members, lambda member: not self.broken[f"us>{member.name}"])
        self.broken: Counter[str] = Counter()
        self.mended_at = START
        self.silences: list[Quiet] = []
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()
        self.log: list[str] = []
        self.told: dict[Labels, bool] = {}
        self.active_at: dict[Labels, datetime] = {}
        self.quiet_since: dict[Labels, datetime] = {}
        self.open: set[Labels] = set()
        self.checked = self.incidents = 0

    # ------------------------------------------------------------ time

    def at(self, at: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (at, next(self._numbers), act))

    def later(self, after: timedelta, act: Callable[[], None]) -> None:
        self.at(self.clock.now() + after, act)

    def run(self) -> None:
        """Live through it; AssertionError where something is not as it must be."""
        self.daemon.start()
        self._plan_life()
        self._until(self.ends_at)
        self._end_all()
        self._until(self.ends_at + SETTLES_AFTER)
        self.check_equal()
        self._until(self.ends_at + SETTLES_AFTER + PUBLISHED_AFTER)
        self.check_equal()
        self.check_issues()

    def close(self) -> None:
        self.daemon.stop()

    def _until(self, end: datetime) -> None:
        while True:
            waits = [self._heap[0][0], self.daemon.next_at(), *(member.next_at() for member in self.members)]
            at = min(one for one in waits if one is not None)
            if at > end:
                self.clock.move_to(max(end, self.clock.now()))
                return
            if at > self.clock.now():
                self.clock.move_to(at)
            now = self.clock.now()
            try:
                if self._heap[0][0] <= now:
                    heapq.heappop(self._heap)[2]()
                for member in self.members:
                    member.step(now)
                self.daemon.step(now)
            except Killed:
                self._died()
            self._look_what_opened()

    # ------------------------------------------------------------ what goes on by itself

    def _plan_life(self) -> None:
        self.at(START, self._minute)
        for alert in ALERTS:
            if alert != WATCHDOG:
                self._plan_begin(alert)
        prom, members = self.prometheus, self.members
        self._plan_outage("prometheus", 3 * DAY, prom.fall, lambda: prom.rise(self.clock.now()))
        self._plan_outage("us", 1.5 * DAY, self._we_stop, self._we_start, longest=3 * HOUR)
        self._every(1.5 * DAY, self._kill_us_soon)
        for member in members:
            self._plan_outage(member.name, 2 * DAY, self._stopper(member), self._starter(member))
            self._plan_outage(f"prometheus>{member.name}", 1.5 * DAY)
            self._plan_outage(f"{member.name}>us", 1.5 * DAY)
            self._plan_outage(f"{member.name}<us", 2 * DAY)
            self._plan_outage(f"us>{member.name}", 1.5 * DAY)
        for one, other in combinations(members, 2):
            self._plan_outage(f"{one.name}={other.name}", DAY, None, one.gossip)
        if self.github is not None:
            self._plan_outage("github", 2 * DAY, self.github.down, self.github.up)
            self._every(DAY, lambda: self.github and self.github.fail("*", LostAnswer()))
        self._every(1.2 * DAY, self._silence)
        self._every(DAY, self._acknowledge)

    def _minute(self) -> None:
        now = self.clock.now()
        if self.prometheus.up:
            self.prometheus.evaluate(now)
            told = self.prometheus.tell(now)
            for member in self.members:
                if member.up and not self.broken[f"prometheus>{member.name}"]:
                    member.take(told, now)
        for member in self.members:
            member.collect(now)
            if member.up and (now - START) % SNAPSHOT_EVERY < EVERY:
                member.snapshot()
        for one in self.members[1:]:
            one.gossip()
        self._follow(now)
        self.at(
            now.replace(second=0, microsecond=0) + EVERY + timedelta(microseconds=self.random.randrange(10**6)),
            self._minute,
        )
        if now - self.mended_at >= SETTLES_AFTER + TOLD_AFTER and now.minute % 20 == 0:
            self.check_quiet()

    def _plan_begin(self, alert: Labels) -> None:
        mean = 3 * HOUR if alert == FLAPS else 14 * HOUR
        self.later(until_next(self.random, mean / self.plan.busy), lambda: self._begin(alert))

    def _begin(self, alert: Labels) -> None:
        if self.clock.now() >= self.ends_at:
            return
        longest = 10 * MINUTE if alert == FLAPS else 2 * DAY
        several = [one for one in ALERTS if dict(one).get("pod") and one[0:2] == alert[0:2]]
        for one in several if self.random.random() < 0.5 else [alert]:
            self.prometheus.holds.add(one)
        self.later(3 * lasts(self.random, longest), lambda: self._end(alert))

    def _end(self, alert: Labels) -> None:
        if self.clock.now() < self.ends_at:
            self.prometheus.holds.discard(alert)
            self._plan_begin(alert)

    # ------------------------------------------------------------ what breaks

    def _plan_outage(
        self,
        thing: str,
        mean: timedelta,
        fall: Callable[[], object] | None = None,
        rise: Callable[[], object] | None = None,
        longest: timedelta = 8 * HOUR,
    ) -> None:
        def begin() -> None:
            lasting = lasts(self.random, longest) if self.random.random() < 0.8 else timedelta(seconds=1)
            self._note(f"{thing} breaks for {lasting}")
            self.broken[thing] += 1
            if fall is not None and self.broken[thing] == 1:
                fall()
            self.at(min(self.clock.now() + lasting, self.ends_at), end)

        def end() -> None:
            self.broken[thing] -= 1
            if not self.broken[thing]:
                del self.broken[thing]
                self._note(f"{thing} is well")
                if rise is not None:
                    rise()
            self.mended_at = self.clock.now()

        self._every(mean, begin)

    def _every(self, mean: timedelta, act: Callable[[], object]) -> None:
        def again() -> None:
            if self.clock.now() < self.ends_at:
                self.later(until_next(self.random, mean / self.plan.busy), again)
                act()

        self.later(until_next(self.random, mean / self.plan.busy), again)

    def _stopper(self, member: Member) -> Callable[[], None]:
        return lambda: member.fall(orderly=self.random.random() < 0.5)

    def _starter(self, member: Member) -> Callable[[], None]:
        return lambda: member.rise(self.clock.now())

    def _we_stop(self) -> None:
        self.daemon.stop()

    def _we_start(self) -> None:
        if self.daemon.app is None:
            self.daemon.start()

    def _kill_us_soon(self) -> None:
        if self.daemon.app is not None:
            self.daemon.kill_soon(self.random.randrange(1, 40))

    def _died(self) -> None:
        """Whoever watches starts it anew, unless it is down for longer anyway."""
        self._note("we are killed")
        self.daemon.stop()
        self.mended_at = self.clock.now()
        self.later(timedelta(seconds=self.random.randrange(1, 300)), self._raise_us)

    def _raise_us(self) -> None:
        self.mended_at = self.clock.now()
        if not self.broken["us"]:
            self._we_start()

    def _silence(self) -> None:
        alert = self.random.choice(sorted(ALERTS))
        label = next(
            pair for pair in alert if pair[0] == self.random.choice(["alertname", "cluster"]) or pair[0] == "alertname"
        )
        if label[1] == "Watchdog" or not any(member.up for member in self.members):
            return
        now = self.clock.now()
        quiet = Quiet(
            id=f"silence-{len(self.silences)}",
            label=label,
            ends_at=now + 2 * lasts(self.random, DAY) + 5 * MINUTE,
            updated_at=now,
        )
        self.silences.append(quiet)
        self._note(f"silence of {label} until {quiet.ends_at}")
        self._hush(quiet)
        if self.random.random() < 0.4:
            self.later(lasts(self.random, DAY), lambda: self._expire(quiet))

    def _expire(self, quiet: Quiet) -> None:
        now = self.clock.now()
        self._hush(Quiet(id=quiet.id, label=quiet.label, ends_at=min(now, quiet.ends_at), updated_at=now))

    def _hush(self, quiet: Quiet) -> None:
        up = [member for member in self.members if member.up]
        if up:
            self.random.choice(up).hush(quiet)

    def _acknowledge(self) -> None:
        found = self.daemon.firing() if self.daemon.app is not None else {}
        if found:
            incident = self.random.choice(sorted(found.values()))
            self.daemon.ask(Ask(incident_id=incident, act=Acknowledged(actor=ANN)))

    def _end_all(self) -> None:
        """The last outage is over (each ends then at the latest). Some silences stay, all else that changes is done."""
        self._note("the month is over")
        for thing in [name for name, depth in self.broken.items() if depth]:
            raise AssertionError(f"{thing} is still broken")
        self.daemon.kill_soon(0)
        self.mended_at = self.clock.now()

    # ------------------------------------------------------------ the network

    def _peers(self, member: Member) -> Iterable[Member]:
        linked = not any(self.broken[f"{one.name}={other.name}"] for one, other in combinations(self.members, 2))
        return [one for one in self.members if one is not member and one.up and member.up and linked]

    def _send(self, member: Member, receiver: str, body: bytes) -> bool:
        if receiver != "triaged":
            return True
        if self.broken[f"{member.name}>us"] or self.daemon.app is None:
            return False
        for alert in msgspec.json.decode(body)["alerts"]:
            one = tuple(sorted(alert["labels"].items()))
            self.told[one] = alert["status"] == "firing"
            self.active_at[one] = self.clock.now()
        try:
            answered = self.daemon.post(body)
        except Killed:
            self._died()
            return False
        return answered and not self.broken[f"{member.name}<us"]

    # ------------------------------------------------------------ what must be true

    def _note(self, text: str) -> None:
        self.log.append(f"{self.clock.now():%d %H:%M:%S} {text}")

    def _follow(self, now: datetime) -> None:
        """Since when each alert fires and each member holds it and keeps it quiet nowhere."""
        held = {alert for member in self.members for alert in member.alerts}
        for alert in ALERTS:
            if alert not in held:
                self.told[alert] = False
                self.quiet_since.pop(alert, None)
                continue
            holds = [
                one for member in self.members if member.up and (one := member.alerts.get(alert)) and one.ends_at > now
            ]
            if len(holds) < len(self.members):
                self.told[alert] = False
            quiet = [member for member in self.members if member.up and member.muted_by(alert, now)]
            if len(quiet) < len(self.members):
                self.active_at[alert] = now
            if alert in self.prometheus.firing and not quiet and len(holds) == len(self.members):
                self.quiet_since.setdefault(alert, now)
            else:
                self.quiet_since.pop(alert, None)

    def _look_what_opened(self) -> None:
        """What is suppressed never opens: where one began it was active just before, or told by a webhook."""
        if self.daemon.app is None or not self.daemon.changed:
            return
        self.daemon.changed = False
        found = set(self.daemon.firing())
        now = self.clock.now()
        for alert in found - self.open:
            active_at = self.active_at.get(alert)
            late = active_at is None or now - active_at > 2 * MINUTE
            assert not late, f"{alert} opened, and is quiet since {active_at}"
        for alert in found ^ self.open:
            self._note(f"{'+' if alert in found else '-'} {_name(alert)}")
        self.open = found

    def check_quiet(self) -> None:
        """Nothing is broken for a while: what fires for some minutes is here, what ended some minutes ago is not."""
        if self.daemon.app is None or any(self.broken.values()):
            return
        self.checked += 1
        now = self.clock.now()
        here = self.daemon.firing()
        for alert, since in self.quiet_since.items():
            late = now - since > TOLD_AFTER and alert not in here and alert not in NOT_OURS
            assert not late, f"{alert} fires since {since}, and is not here"
        for alert in here:
            ended_at = self.prometheus.ended.get(alert, START)
            over = alert not in self.prometheus.firing and now - ended_at > TOLD_AFTER
            assert not over, f"{alert} ended at {ended_at}, and fires here"

    def check_equal(self) -> None:
        """What fires in unfinished incidents is what fires in Prometheus, is routed here, and is suppressed nowhere.

        Of what is suppressed now, that fires here which was told of before that and held ever since; none that ended.
        """
        now = self.clock.now()
        here = set(self.daemon.firing())
        firing = self.prometheus.firing.keys() - NOT_OURS
        quiet = {one for one in firing if all(member.muted_by(one, now) for member in self.members)}
        assert here <= firing, f"fires here, and not in Prometheus: {sorted(here - firing)}"
        assert firing - quiet <= here, f"fires in Prometheus, and not here: {sorted(firing - quiet - here)}"
        told = {one for one in quiet if self.told.get(one)}
        assert told <= here, f"opened before it was suppressed, and ended: {sorted(told - here)}"

    def check_issues(self) -> None:
        """No incident without a firing alert, one unfinished incident a key and an alert, one issue each."""
        app = self.daemon.app
        assert app is not None
        i, c = s.incidents.c, s.episodes.c
        with app.store.read() as reader:
            rows = list(reader.connection.execute(select(i.id, i.state, i.key, i.opened_at, i.firing, i.source)))
            query = select(c.incident_id, func.count()).where(c.ended_at.is_(None)).group_by(c.incident_id)
            counted: dict[int, int] = {row[0]: row[1] for row in reader.connection.execute(query)}
            reviews = reader.connection.execute(select(s.reviews.c.number)).scalars().all()
        for row in rows:
            assert row.firing == counted.get(row.id, 0), (
                f"INC-{row.id} counts {row.firing}, has {counted.get(row.id, 0)}"
            )
            assert row.firing or row.state not in ("open", "acknowledged", "pending"), f"INC-{row.id} fires nothing"
            assert row.source != "heartbeats" or not row.firing, f"INC-{row.id}: a heartbeat that is heard is missed"
        keys = Counter(row.key for row in rows if row.state not in ("resolved", "closed"))
        assert all(number == 1 for number in keys.values()), f"keys of several incidents: {keys}"
        issues = Counter(self._issues())
        opened = {f"INC-{row.id}" for row in rows if row.opened_at is not None}
        told = opened | {f"REV-{number}" for number in reviews}
        assert issues == Counter(told), f"several or unknown: {issues - Counter(told)}, none: {Counter(told) - issues}"
        self.incidents = len(opened)

    def _issues(self) -> Iterable[str]:
        if self.github is None:
            return [file.stem for file in (self.folder / "incidents").rglob("*-*.md")]
        return [issue.title.split(" ")[0] for issue in self.github.issues]


def _name(alert: Labels) -> str:
    return " ".join(value for _, value in alert)


def _rules(folder: Path) -> Path:
    folder.mkdir()
    severities = (defaults.RULES / "severities.yaml").read_text()
    # So that incidents begin anew, too, and not all of them reopen.
    (folder / "severities.yaml").write_text(severities.replace("reopen_within: 24h", "reopen_within: 3h"))
    for name in ("calendars.yaml",):
        shutil.copyfile(defaults.RULES / name, folder / name)
    (folder / "triage.yaml").write_text(TRIAGE)
    (folder / "heartbeats.yaml").write_text(HEARTBEATS)
    return folder


def live(plan: Plan, folder: Path) -> Month:
    """Live through a month; AssertionError, with the seed and what happened last, where something is wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = FakeClock(START)
    with ExitStack() as stack:
        github = stack.enter_context(FakeGitHub(now=clock.now)) if plan.github else None
        month = Month(plan, folder, github, clock)
        stack.callback(month.close)
        try:
            month.run()
        except Exception as error:
            error.add_note("\n".join([f"in {plan}, at {clock.now()}", *month.log[-60:]]))
            raise
    return month
