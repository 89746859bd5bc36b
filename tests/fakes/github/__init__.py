"""A stateful GitHub over loopback HTTP, held against GitHub's own API description."""

from fakes.github.apps import App, Installation
from fakes.github.exchange import Recorded
from fakes.github.fake import FakeGitHub
from fakes.github.faults import (
    Fault,
    Garbled,
    Hang,
    Held,
    LateCommit,
    Limited,
    LostAnswer,
    Redirect,
    Reset,
    ServerError,
    Slow,
)
from fakes.github.people import Person
from fakes.github.state import Comment, Hook, Issue, Label, Repository, Role, User

__all__ = [
    "App",
    "Comment",
    "FakeGitHub",
    "Fault",
    "Garbled",
    "Hang",
    "Held",
    "Hook",
    "Installation",
    "Issue",
    "Label",
    "LateCommit",
    "Limited",
    "LostAnswer",
    "Person",
    "Recorded",
    "Redirect",
    "Repository",
    "Reset",
    "Role",
    "ServerError",
    "Slow",
    "User",
]
