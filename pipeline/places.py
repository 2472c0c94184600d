"""Where things lie: the folders of code, and the project whose data and results a command works on."""

from __future__ import annotations

from pathlib import Path

CODE = Path(__file__).resolve().parents[1]  # holds metrics/, attacks/, defences/ and pipeline/


def project() -> Path:
    """Returns the folder that holds data/, results/ and build/."""
    return CODE


def results() -> Path:
    """Returns the folder of the tables that are committed for readers."""
    return project() / "results"
