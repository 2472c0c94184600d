"""The contract of a defence."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from defences.base import Defence
from pipeline.catalog import Entry
from pipeline.contract.base import Check, kept, photographs, require
from pipeline.evaluate.objective import ImageNoise

NAMES = ["first.png", "second.png", "third.png"]


def check_defence(entry: Entry, device: torch.device) -> Iterator[Check]:
    """Yields what a defence must do and what was seen.

    Raises:
        BenchError: If it does not load.
    """
    defence: Defence = entry.load()()
    images = photographs(129, 147).to(device)
    before = images.clone()

    def purified(index: list[int]) -> torch.Tensor:
        return defence.purify(images[index], ImageNoise(entry.name, [NAMES[i] for i in index]))

    def valid() -> str:
        found = purified([0, 1, 2])
        require(bool(found.isfinite().all() and found.min() >= 0 and found.max() <= 1), "clamp the result to [0, 1]")
        same = found.shape == images.shape
        require(same or not defence.keeps_geometry, f"shape {tuple(found.shape)}: declare keeps_geometry = False")
        return f"shape {tuple(found.shape)}"

    def companions() -> str:
        off = (purified([0, 1, 2]) - torch.cat([purified([i]) for i in range(3)])).abs().max().item()
        require(off <= 1e-5, f"pixels differ by {off:.2g}: take nothing from the other images")
        return f"pixels differ by {off:.1g}"

    def repeats() -> str:
        require(torch.equal(purified([0, 1]), purified([0, 1])), "runs differ: draw from `noise`, and only there")
        return "equal bits"

    def untouched() -> str:
        purified([0, 1, 2])
        require(torch.equal(before, images), "it writes into the images it was given: work on a copy")
        return "unchanged"

    yield from kept("return images in [0, 1], of the same size unless it says otherwise", valid)
    yield from kept("give the same image alone and in a batch", companions)
    yield from kept("be deterministic, given its noise", repeats)
    yield from kept("leave its input untouched", untouched)
