"""Alertmanager's webhook body to alerts.

Wire format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version "4"; Grafana-managed
alerts send the same envelope with version "1". Unknown fields are ignored and absent ones tolerated, because the body
can also be a user's own template.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from triaged.core.keys import fingerprint
from triaged.core.model import Alert, AlertStatus
from triaged.errors import PayloadError
from triaged.ports.source import Cut, Reading, Rejected
from triaged.sources.limits import MOST_ALERTS, limit
from triaged.sources.mending import Unreadable, instant, loose_envelope, loose_fields


class _Envelope(msgspec.Struct):
    alerts: list[msgspec.Raw]
    status: str | None = None
    truncatedAlerts: msgspec.Raw = msgspec.Raw(b"0")  # noqa: N815 - the wire's name


class _Group(msgspec.Struct):
    receiver: str = ""
    groupLabels: dict[str, str] = {}  # noqa: N815


class _Fields(msgspec.Struct):
    labels: dict[str, str]
    status: str
    annotations: dict[str, str] = {}
    startsAt: str = ""  # noqa: N815 - the wire's name
    endsAt: str = ""  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    triagedIdentity: list[str] = []  # noqa: N815
    triagedFoundIn: str = ""  # noqa: N815


_envelope = msgspec.json.Decoder(_Envelope)
_group = msgspec.json.Decoder(_Group)
_fields = msgspec.json.Decoder(_Fields)
_EXPECTED = 'expected a JSON object with a list "alerts", as Alertmanager\'s webhook sends it'

_LONGEST_NAME = 60
_NONE_LEFT_OUT = (b"0", b"null", b"")


def digests(source: str, body: bytes) -> list[bytes] | None:
    """The digest of each alert in the body, without reading the alerts; None where the slow path must look."""
    try:
        envelope = _envelope.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    key = _key(source, envelope.status)
    return [blake2b(raw, digest_size=16, key=key).digest() for raw in envelope.alerts]


def read(source: str, body: bytes) -> Reading:
    """The alerts of one webhook body; one unreadable alert never costs the others.

    Raises PayloadError (400) where the body is no such object, (413) where it holds too many alerts.
    """
    try:
        envelope = _envelope.decode(body)
        raws, group_status = [bytes(raw) for raw in envelope.alerts], envelope.status
        cut = None if bytes(envelope.truncatedAlerts) in _NONE_LEFT_OUT else _cut(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raws, group_status = loose_envelope(body, expected=_EXPECTED, problem=str(error))
        cut = None
    if len(raws) > MOST_ALERTS:
        raise PayloadError(f"expected at most {MOST_ALERTS:,} alerts in a request, got {len(raws):,}", status=413)
    alerts: list[Alert] = []
    rejected: list[Rejected] = []
    key = _key(source, group_status)
    for raw in raws:
        digest = blake2b(raw, digest_size=16, key=key).digest()
        try:
            alerts.append(_alert(source, raw, digest, group_status, []))
        except Unreadable as error:
            rejected.append(Rejected(raw=raw, digest=digest, reason=error.reason, text=str(error)))
    return Reading(alerts=tuple(alerts), rejected=tuple(rejected), cut=cut)


def _cut(body: bytes) -> Cut:
    try:
        group = _group.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        group = _Group()
    return Cut(receiver=group.receiver, labels=tuple(sorted(group.groupLabels.items())))


def alone(source: str, raw: bytes, mended: list[str]) -> Alert:
    """The alert of a text that stands alone, as alerts of every source are kept; `mended` is what was repaired before.

    `triagedIdentity` (written by mapped sources) names the labels that say which alert it is; absent: all of them.
    `triagedFoundIn` (written by reconciliation) is the Alertmanager that was asked.
    Raises Unreadable.
    """
    return _alert(source, raw, blake2b(raw, digest_size=16, key=_key(source, None)).digest(), None, mended)


def _identifying(labels: dict[str, str], names: list[str]) -> dict[str, str]:
    found = {name: labels[name] for name in names if name in labels}
    if not found:
        raise Unreadable("no_identity", f"labels: expected at least one of {', '.join(names)[:200]}, got none of them")
    return found


def kept(raws: Iterable[bytes], status: str = "") -> bytes:
    """The body in which alerts that were kept raw are read again, whatever their source; `status` is the group's."""
    group = b'"status":"%s",' % status.encode() if status else b""
    return b'{%s"alerts":[%s]}' % (group, b",".join(raws))


def _key(source: str, group_status: str | None) -> bytes:
    """What a digest depends on beside the alert's text: one without a status of its own follows its group's."""
    return (b"resolved " if group_status == "resolved" else b"") + source.encode()[:50]


def _alert(source: str, raw: bytes, digest: bytes, group_status: str | None, mended: list[str]) -> Alert:
    try:
        # \u0000 is valid JSON and valid to msgspec, but no text to PostgreSQL.
        if b"\\u0000" in raw:
            raise msgspec.DecodeError("NUL")
        fields = _fields.decode(raw)
        labels, annotations, status = fields.labels, fields.annotations, fields.status
        starts, ends, url, identity = fields.startsAt, fields.endsAt, fields.generatorURL, fields.triagedIdentity
        found_in = fields.triagedFoundIn
        if "" in labels.values():
            labels = {name: value for name, value in labels.items() if value}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        loose = loose_fields(raw, mended)
        labels, annotations = loose.labels, loose.annotations
        starts, ends, url, identity = loose.starts, loose.ends, loose.url, loose.identity
        status, found_in = loose.status, ""
    # Without any status it fires: a false alarm costs a look, a missed outage costs an outage.
    status = status or group_status or "firing"
    if status not in ("firing", "resolved"):
        raise Unreadable("unknown_status", f'status: expected "firing" or "resolved", got {status[:100]!r}')
    labels, annotations = limit(labels, annotations, mended)
    return Alert(
        fingerprint=fingerprint(source, _identifying(labels, identity) if identity else labels),
        source=source,
        status=AlertStatus.FIRING if status == "firing" else AlertStatus.RESOLVED,
        labels=labels,
        annotations=annotations,
        starts_at=instant(starts, "startsAt", mended),
        ends_at=instant(ends, "endsAt", mended),
        generator_url=url,
        digest=digest,
        raw=raw,
        mended=tuple(mended),
        found_in=found_in[:_LONGEST_NAME],
    )
