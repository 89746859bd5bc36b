"""The files of issue templates that `triaged github setup` puts into a repository.

Each carries the digest of the rest of itself in a comment: what nobody has changed since can be renewed.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Final

FOLDER: Final = ".github/ISSUE_TEMPLATE"
NAMES: Final = ("incident-report.yml", "incident-report.md")
_HERE: Final = Path(__file__).parent
_SUM: Final = re.compile(r"^# triaged:sum ([0-9a-f]{16})$\n?", re.MULTILINE)
_FRONT: Final = "---\n"


def files() -> dict[str, str]:
    """The text of each file by its path in a repository."""
    return {f"{FOLDER}/{name}": signed((_HERE / name).read_text(encoding="utf-8")) for name in NAMES}


def signed(text: str) -> str:
    """The text with its digest, in the first line of its YAML."""
    line = f"# triaged:sum {_digest(text)}\n"
    front = text.removeprefix(_FRONT)
    return f"{_FRONT}{line}{front}" if front != text else f"{line}{text}"


def is_untouched(text: str) -> bool:
    """Whether the text is one of ours, of whatever release, as it was written; ends of lines do not count."""
    plain = text.replace("\r\n", "\n")
    found = _SUM.search(plain)
    return found is not None and found[1] == _digest(_SUM.sub("", plain, count=1))


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()
