"""The sha256 and size that a weight file must have, and who says so."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.weights.manifest import Weight
from metric_robustness.pipeline.weights.sources import Announced


class Expected(NamedTuple):
    """The sha256 and size that a file must have, as far as they are known."""

    name: str
    sha256: str = ""
    prefix: str = ""
    size: int | None = None
    says: str = ""  # who says so, for messages
    equivalents: tuple[str, ...] = ()  # other files that serve as well
    remedy: str = "get the file elsewhere, or try a mirror"

    @property
    def known(self) -> bool:
        """Tells whether any part of the hash is known, so that a wrong file can be refused."""
        return bool(self.sha256 or self.prefix)

    def refusal(self, sha256: str) -> str:
        """Returns why a file with this sha256 is refused; empty if it is the right one."""
        if sha256 in self.equivalents:
            return ""
        if self.sha256 and sha256 != self.sha256:
            return f"{self.name} must have the sha256 {self.sha256} ({self.says}); got {sha256}"
        if not sha256.startswith(self.prefix):
            return f"{self.name} must have a sha256 that begins with {self.prefix} (its name); got {sha256}"
        return ""


def expected(weight: Weight, pin: str, pins: Path, announced: Announced | None = None) -> Expected:
    """Returns the hash and size that a file must have: of the manifest, else the pin, else the source's announcement.

    Args:
        weight: What the manifest knows.
        pin: The sha256 of its first download; empty if it has none.
        pins: The file that holds the pins, for messages.
        announced: What the source says that is about to be read.

    Raises:
        DataError: If the source announces another file than the one that is known.
    """
    claim = announced or Announced()
    says = "the manifest" if weight.sha256 else f"pinned in {pins} at the first download" if pin else "as announced"
    known = weight.sha256 or pin
    found = Expected(weight.name, known, weight.prefix, weight.size, says, tuple(weight.equivalents))
    if pin and not weight.sha256:
        found = found._replace(
            remedy=f"if the change is meant, run python -m pipeline weights unpin {weight.name}; else {found.remedy}"
        )
    if claim.sha256 and (refusal := found.refusal(claim.sha256)):
        raise DataError(f"{refusal}, as its source announces: it is refused; {found.remedy}")
    return found._replace(sha256=claim.sha256) if claim.sha256 else found
