"""Death at a chosen instant: before or after a commit, before or after a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Counts instants and kills at one of them; with `every`, at each that is so many after it, too.

    `how` is raised there instead of Killed.
    """

    def __init__(self, kill_at: int, *, every: int = 0, how: BaseException | None = None) -> None:
        self.kill_at = kill_at
        self.every = every
        self.how = how or Killed()
        self.passed = 0

    def instant(self) -> None:
        self.passed += 1
        if self.passed == self.kill_at:
            self.kill_at += self.every
            raise self.how

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any, **kwargs: Any) -> Any:
            self.instant()
            answer = call(*args, **kwargs)
            self.instant()
            return answer

        return mortal


class MortalBackend:
    """A backend with an instant before and after each request."""

    def __init__(self, backend: Any, fate: Fate) -> None:
        self._backend = backend
        self._fate = fate
        self.name = backend.name
        self.settled_after = backend.settled_after
        self.hidden_for = backend.hidden_for
        self.ready_at = backend.ready_at
        self.remembers = backend.remembers

    def __getattr__(self, name: str) -> Any:
        return self._fate.around(getattr(self._backend, name))


class MortalWatch:
    """A watch that dies before or after a request."""

    def __init__(self, watch: Any, fate: Fate) -> None:
        self.name = watch.name
        self.look = fate.around(watch.look)
        self.doers = fate.around(watch.doers)
        self.close = watch.close
