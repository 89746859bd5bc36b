"""The line between door and daemon: what is said arrives whole, and the door knows what the writer knows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC
from itertools import pairwise
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged import defaults, rulefiles
from triaged.core.model import Alert, AlertStatus
from triaged.door import wire
from triaged.door.doors import Door
from triaged.door.outside import Line
from triaged.door.wire import Delivered, Frames, Leave, Opened, Repeated, Said, Settled, ToDaemon, ToDoor, frame
from triaged.intake.known import Changes, Mirrored
from triaged.intake.units import Answer, Delivery
from triaged.ports.source import Reading
from triaged.ports.tally import BOUNDS, Durations, Tally
from triaged.web.auth import SourceAuth

DIGESTS = st.binary(min_size=1, max_size=1)
NAMES = st.sampled_from("abcd")
STATUSES = st.sampled_from(("firing", "resolved"))
INSTANTS = st.none() | st.datetimes(timezones=st.just(UTC))
TEXTS = st.dictionaries(st.text(), st.text(), max_size=3)
READINGS = st.builds(
    Reading,
    alerts=st.lists(
        st.builds(
            Alert,
            status=st.sampled_from(AlertStatus),
            labels=TEXTS,
            annotations=TEXTS,
            starts_at=INSTANTS,
            ends_at=INSTANTS,
            mended=st.lists(st.text(), max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    rejected=st.just(()),
)
MESSAGES = st.one_of(
    st.builds(
        Delivered,
        st.integers(),
        st.builds(Delivery, id=st.text(), source=st.text(), body=st.binary(), reading=st.none() | READINGS),
    ),
    st.builds(Settled, st.none(), st.lists(st.tuples(st.integers(), st.builds(Answer, status=st.integers())))),
    st.builds(Said, st.integers(), st.dictionaries(st.text(), st.binary())),
    st.builds(Leave),
    st.builds(Repeated, st.frozensets(st.binary())),
)


@given(st.lists(st.lists(MESSAGES, max_size=4), max_size=4), st.lists(st.integers(0, 400), max_size=12))
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(
    batches: list[list[ToDaemon | ToDoor]], cuts: list[int]
) -> None:
    stream = b"".join(map(frame, batches))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    frames = Frames()
    heard = [m for begin, end in pairwise(edges) for m in frames.feed(stream[begin:end])]
    assert heard == [message for batch in batches for message in batch]


def test_the_doors_of_the_shipped_sources_cross_the_line() -> None:
    mappings = rulefiles.load(defaults.RULES).sources
    doors = {
        name: Door(source=name, auth=SourceAuth(["secret"]), mapping=mapping) for name, mapping in mappings.items()
    }
    (heard,) = Frames().feed(frame([Opened(MappingProxyType(doors), True)]))
    assert heard.doors.keys() == mappings.keys()
    for name, door in heard.doors.items():
        assert repr(door.mapping) == repr(mappings[name])
        assert door.auth.allows(b"Bearer secret")
        assert not door.auth.allows(b"Bearer other")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("learn"), NAMES, DIGESTS, STATUSES),
            st.tuples(st.just("same"), NAMES, DIGESTS, STATUSES),
            st.tuples(st.just("forget"), st.lists(NAMES)),
            st.tuples(st.just("clear")),
            st.tuples(st.just("tell")),
        ),
        max_size=40,
    )
)
def test_a_copy_that_is_told_of_every_change_knows_what_the_writer_knows(steps: Iterable[tuple[object, ...]]) -> None:
    known = Mirrored()
    copy: dict[bytes, str] = {}

    def tell() -> None:
        changes = known.changes()
        if changes is not None:
            changes.apply(copy)

    for step, *given_ in steps:
        if step == "tell":
            tell()
        else:
            getattr(known, str(step))(*given_)
    tell()
    assert known.changes() is None
    assert len(copy) == len(known)
    assert all(known.status(digest) == status for digest, status in copy.items())


def test_the_alerts_of_some_digests_are_found_whichever_of_their_texts_it_is() -> None:
    known = Mirrored()
    known.learn("a", b"a1", "firing")
    known.same("a", b"a2", "firing")
    known.learn("b", b"b1", "resolved")
    assert known.alerts({b"a2", b"gone"}) == ["a"]
    assert sorted(known.alerts({b"a1", b"b1"})) == ["a", "b"]
    assert known.alerts(frozenset()) == []


def test_what_was_cleared_is_gone_though_the_copy_had_heard_of_it() -> None:
    copy = {b"old": "firing"}
    Changes(cleared=True, states={b"new": "resolved", b"never": None}).apply(copy)
    assert copy == {b"new": "resolved"}


@given(st.lists(st.floats(0, 20, allow_nan=False)))
def test_a_duration_is_counted_in_the_first_bucket_whose_bound_it_does_not_exceed(spans: list[float]) -> None:
    first, second = Tally(), Tally()
    for number, span in enumerate(spans):
        (first if number % 2 else second).observe("a", span)
    total = Durations()
    for tally in (first, second):
        total.add(tally.took.get("a", Durations()))
    for index, bound in enumerate(BOUNDS):
        assert sum(total.buckets[: index + 1]) == sum(span <= bound for span in spans)
    assert sum(total.buckets) == len(spans)
    assert abs(total.seconds - sum(spans)) < 1e-6


class _Wire(asyncio.WriteTransport):
    """Where a line writes."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[ToDaemon | Leave] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said.extend(Frames().feed(bytes(data)))

    def close(self) -> None:
        self.said.append(Leave())


def test_what_the_door_answered_alone_is_told_some_time_later_together_and_before_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "REPEATED_SECONDS", 0)

    async def answer() -> list[ToDaemon | Leave]:
        line, transport = Line(), _Wire()
        line.connection_made(transport)
        for digest in (b"a", b"b", b"a"):
            line.repeated([digest])
        assert transport.said == []
        while not transport.said:
            await asyncio.sleep(0)
        line.repeated([b"c"])
        line.close()
        return transport.said

    assert asyncio.run(answer()) == [Repeated(frozenset({b"a", b"b"})), Repeated(frozenset({b"c"})), Leave()]


def test_however_much_repeats_the_door_keeps_little_of_it() -> None:
    async def answer() -> list[ToDaemon | Leave]:
        line, transport = Line(), _Wire()
        line.connection_made(transport)
        for number in range(50):
            line.repeated([b"%d-%d" % (number, one) for one in range(1_000)])
        await asyncio.sleep(0)
        return transport.said

    sizes = [len(message.digests) for message in asyncio.run(answer()) if isinstance(message, Repeated)]
    assert sum(sizes) >= 40_000
    assert max(sizes) <= 21_000
