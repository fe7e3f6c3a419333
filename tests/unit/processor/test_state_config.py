"""What can be said of the state, and what of it makes no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.config_file import load_config
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_kept_unless_asked_for() -> None:
    """No folder is made and nothing written by default."""
    state = load_config(None).state
    assert state.directory is None
    assert state.journal is False


def test_journal_is_switched_on_in_words(tmp_path: Path) -> None:
    """As YAML has it: `on`."""
    path = tmp_path / "processor.yaml"
    path.write_text("state: {directory: kept, journal: on, interval: 5s, retention: 2h}")
    state = load_config(path).state
    assert state.directory == "kept"
    assert state.journal
    assert [float(state.interval), float(state.retention)] == [5.0, 7200.0]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "state.journal=on",
            "$.state.directory: expected a folder, because of 'state.journal', got nothing",
        ),
        ("state.interval=500ms", "$.state.interval: expected a duration >= 1s, got 0.5s"),
        ("state.retention=59m", "$.state.retention: expected a duration >= 1h, got 59m"),
        ("state.journal=maybe", "$.state.journal: expected bool"),
        (
            "state.folder=x",
            "unknown key 'folder'; known: directory, interval, journal, predictions, retention",
        ),
    ],
)
def test_what_makes_no_sense_is_named(setting: str, said: str) -> None:
    """Key, expectation and finding."""
    with pytest.raises(ConfigError) as refused:
        load_config(None, [setting])
    assert said in str(refused.value)
