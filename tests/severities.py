"""A severities.yaml for tests that care about one thing in it."""

from __future__ import annotations

from collections.abc import Sequence

CLOSE = ("person", "person", "daemon", "daemon")
TARGETS = (("1h", "8h"),) * 4
_ONE = """
{name}:
  targets: {{response: {response}, resolution: {resolution}}}
  calendar: always
  compliance: {{response: 0.95, resolution: 0.9}}
  at_risk: 0.75
  verify_for: {verify_for}m
  reopen_within: 24h
  close: {close}
"""
NOBODY = "  escalation: []\n"


def severities(
    *,
    verify_for: Sequence[int] = (30, 20, 15, 10),
    close: Sequence[str] = CLOSE,
    targets: Sequence[tuple[str, str]] = TARGETS,
    more: str = "",
) -> str:
    """The text; each sequence goes from sev1 to sev4, `verify_for` is in minutes, `more` is lines for each of them.

    Where those say nothing of it, nobody is told.
    """
    more = more if "escalation:" in more else more + NOBODY
    return "".join(
        _ONE.format(name=f"sev{n}", response=response, resolution=resolution, verify_for=span, close=who) + more
        for n, ((response, resolution), span, who) in enumerate(zip(targets, verify_for, close, strict=True), 1)
    )
