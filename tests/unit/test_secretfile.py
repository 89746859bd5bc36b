"""Files of secrets: which lines count, which one we present, what is said of one that cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from triaged.errors import ConfigError
from triaged.secretfile import Secret, first, read

BEFORE = "# the check of the daemon\n\n  \n"


@pytest.mark.parametrize(
    ("secret", "line"), [(Secret.TOKEN, "s3cret"), (Secret.PASSWORD, "me:s3cret"), (Secret.URL, "https://h/s3cret")]
)
def test_the_first_line_that_is_no_comment_and_not_blank_is_presented(
    tmp_path: Path, secret: Secret, line: str
) -> None:
    (tmp_path / "file").write_text(f"{BEFORE}  {line} \r\n{line}2\n")
    assert first(tmp_path / "file", secret) == line
    assert read(tmp_path / "file", secret) == (line.encode(), f"{line}2".encode())


@pytest.mark.parametrize(
    ("secret", "content", "expected"),
    [
        (Secret.TOKEN, BEFORE, "file: expected a token on each line, found none"),
        (Secret.URL, "", "file: expected a URL on each line, found none"),
        (Secret.PASSWORD, f"{BEFORE}s3cret", "file:4: expected user:password, found no colon"),
        (Secret.URL, f"{BEFORE}s3cret", "file:4: expected a URL like http://HOST:PORT/PATH"),
        (Secret.URL, "http://h:s3cret", "file:1: expected a URL with a port"),
        (Secret.URL, "http://s3cret\udcff", "file:1: expected a URL with a host"),
        (Secret.TOKEN, "s3cret\udcff", "file: expected a token in UTF-8, got other bytes"),
    ],
)
def test_what_cannot_be_presented_is_told_with_its_place_and_not_shown(
    tmp_path: Path, secret: Secret, content: str, expected: str
) -> None:
    (tmp_path / "file").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=re.escape(expected)) as caught:
        first(tmp_path / "file", secret)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_not_there_is_told_by_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent: expected a file with a URL, got: No such file or directory$"):
        first(tmp_path / "absent", Secret.URL)
