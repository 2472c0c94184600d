"""Who hears how far a training is."""

from __future__ import annotations

from typing import Protocol


class TrainingListener(Protocol):
    """Hears how a training goes on; the command line shows a bar."""

    def begin(self, what: str, total: int) -> None:
        """Hears that a stage begins, and how many steps it has."""

    def advance(self, steps: int = 1) -> None:
        """Hears that steps of the stage are done."""

    def say(self, line: str) -> None:
        """Hears a line for the user."""


class Silent:
    """Shows nothing."""

    def begin(self, what: str, total: int) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        pass

    def say(self, line: str) -> None:
        pass
