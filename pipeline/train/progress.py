"""Listeners that follow a training."""

from __future__ import annotations

from typing import Protocol


class TrainingListener(Protocol):
    """Follows a training; the command line's listener shows a bar."""

    def begin(self, what: str, total: int) -> None:
        """Is called when a stage begins, with its number of steps."""

    def advance(self, steps: int = 1) -> None:
        """Is called when steps of the stage are done."""

    def say(self, line: str) -> None:
        """Gets a line for the user."""


class Silent:
    """Shows nothing."""

    def begin(self, what: str, total: int) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        pass

    def say(self, line: str) -> None:
        pass
