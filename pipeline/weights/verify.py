"""Verifying weight files: hashes again those that are here, and opens them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.weights import sums
from metric_robustness.pipeline.weights.declared import Need
from metric_robustness.pipeline.weights.integrity import expected
from metric_robustness.pipeline.weights.opening import TORCHSCRIPT, Opened, open_all


class WeightVerdict(NamedTuple):
    """The verdict on one file."""

    need: Need
    sha256: str
    problem: str = ""  # empty when it may be used
    note: str = ""

    @property
    def line(self) -> str:
        """Returns the problem, with the entries that cannot run and what to do."""
        return (
            f"{self.need.who}: {self.problem}: run python -m pipeline weights fetch --anew {self.need.entries[0]}, or "
            "import another copy"
        )


def verify(needs: list[Need], on_progress: Callable[[int, int], None]) -> list[WeightVerdict]:
    """Returns a verdict on each file.

    Args:
        needs: The files, all of which must be here.
        on_progress: Gets how many files of how many are done.
    """
    verdicts = []
    for need, (path, opened) in zip(needs, open_all([need.path for need in needs]), strict=True):
        verdicts.append(_verdict(need, file_digest(path), opened))
        on_progress(len(verdicts), len(needs))
    return verdicts


def _verdict(need: Need, sha256: str, opened: Opened) -> WeightVerdict:
    pins = sums.pins_file()
    must = expected(need.weight, sums.read(pins).get(need.name, ""), pins)
    if refusal := must.refusal(sha256):
        return WeightVerdict(need, sha256, refusal)
    if opened.problem:
        return WeightVerdict(need, sha256, f"{need.name} {opened.problem}")
    if opened.what == TORCHSCRIPT and not must.sha256:
        problem = f"{need.name} is a TorchScript program, and its sha256 is not known to vouch for it"
        return WeightVerdict(need, sha256, problem)
    if sha256 in need.weight.equivalents:
        note = need.weight.equivalents[sha256]
    elif must.sha256:
        note = f"sha256 as {must.says}" if need.weight.sha256 else "sha256 as pinned at the first download"
    elif must.prefix:
        note = "sha256 begins as its name says"
    else:
        note = "its sha256 is not known: fetch or import it to pin it"
    return WeightVerdict(need, sha256, note=f"{opened.what}; {note}")
