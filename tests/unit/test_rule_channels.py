"""Channels that teams name are held against the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from building import rule_files
from triaged.config import load
from triaged.errors import ConfigError
from triaged.rulefiles import unconfigured
from triaged.rulefiles.folder import read

SERVICES = (
    "teams:\n  platform: {}\n  payments: {}\n  storefront: {}\n  data: {}\n  security:\n    channels: [ops, opps]\n"
)


def told(*channels: str) -> list[str]:
    files = {**rule_files().files, "services.yaml": SERVICES}
    return [str(finding) for finding in unconfigured(read(files).sheet, channels)]


def test_a_channel_that_the_configuration_does_not_have_is_told_at_its_place_with_the_nearest() -> None:
    (found,) = told("ops", "mail")
    assert found.startswith("services.yaml:7:21: teams.security.channels[1]: expected one of the channels")
    assert "mail or ops, got 'opps'" in found


def test_without_any_channel_each_is_told() -> None:
    assert len(told()) == 2
    assert told("ops", "opps") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("channels: {ops: {}}", "channels.ops: expected either url_file"),
        ("channels: {ops: {url: x, url_file: y}}", "channels.ops"),
        ("channels: {people: {url: 'json://x'}}", "expected another name than people"),
        ("channels: {Ops!: {url: 'json://x'}}", "channels"),
    ],
)
def test_a_channel_without_one_url_or_with_a_name_of_others_is_refused(
    tmp_path: Path, text: str, expected: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        load(file)


def test_the_url_of_a_channel_is_in_no_representation_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("channels: {ops: {url: 'slack://s3cret/b/c'}}")
    assert "s3cret" not in repr(load(file))
