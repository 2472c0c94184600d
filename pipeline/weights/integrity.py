"""What a file must be, and who says so."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pipeline.errors import DataError
from pipeline.weights.manifest import Weight
from pipeline.weights.sources import Announced


class Expected(NamedTuple):
    """The sha256 and size that a file must have, as far as they are known."""

    name: str
    sha256: str = ""
    prefix: str = ""
    size: int | None = None
    says: str = ""  # who says so
    equivalents: tuple[str, ...] = ()  # other files that serve as well

    @property
    def known(self) -> bool:
        """Tells whether anything is known by which a file can be refused."""
        return bool(self.sha256 or self.prefix)

    def refusal(self, sha256: str) -> str:
        """Returns why a file with this sha256 is not the one, or nothing."""
        if sha256 in self.equivalents:
            return ""
        if self.sha256 and sha256 != self.sha256:
            return f"{self.name} must have the sha256 {self.sha256} ({self.says}); got {sha256}"
        if not sha256.startswith(self.prefix):
            return f"{self.name} must have a sha256 that begins with {self.prefix} (its name); got {sha256}"
        return ""


def expected(weight: Weight, pin: str, pins: Path, announced: Announced | None = None) -> Expected:
    """Returns what a file must be: by the manifest, else as pinned at the first download, else as announced.

    Args:
        weight: What the manifest knows.
        pin: The sha256 of its first download, or nothing.
        pins: The file that holds the pins, for messages.
        announced: What the source that is about to be read tells.

    Raises:
        DataError: If the source announces another file than the one that is known.
    """
    told = announced or Announced()
    says = "the manifest" if weight.sha256 else f"pinned in {pins} at the first download" if pin else "as announced"
    known = weight.sha256 or pin
    found = Expected(weight.name, known, weight.prefix, weight.size, says, tuple(weight.equivalents))
    if told.sha256 and (refusal := found.refusal(told.sha256)):
        remedy = (
            f"if the change is meant, remove its line from {pins}" if pin and not weight.sha256 else "get it elsewhere"
        )
        raise DataError(f"{refusal}, as its source announces: it is refused; {remedy}")
    return found._replace(sha256=told.sha256) if told.sha256 else found
