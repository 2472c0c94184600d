"""The contract of a defence."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch

from metric_robustness.defences.base import Defence, Images, RobustTraining
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.contract.base import (
    CLOSE,
    NAMES,
    QUIET,
    BrokenPromiseError,
    Check,
    Checks,
    draws,
    photographs,
    promises,
    require,
    require_no_draws,
    require_quiet,
)
from metric_robustness.pipeline.contract.training import TrainingCheck
from metric_robustness.pipeline.engine.metric.build import build_defences
from metric_robustness.pipeline.engine.metric.objective import ImageNoise

SIZES = {
    "light": (97, 111),
    "heavy": (29, 35),
}  # odd; small for diffusion, which takes hundreds of passes


class DefenceCheck(Checks):
    """The checks of one defence with one set of settings, on photographs of an odd size."""

    def __init__(self, name: str, defence: Defence, device: torch.device) -> None:
        super().__init__()
        self.name, self.defence = name, defence
        self.images = photographs(*SIZES[defence.cost]).to(device)

    def noise(self, index: list[int]) -> ImageNoise:
        """Returns the noise of some of the photographs, from its beginning."""
        return ImageNoise(self.name, [NAMES[i] for i in index])

    def purified(self, index: list[int]) -> Images:
        """Returns some of the photographs, purified."""
        with torch.no_grad():
            return self.defence(self.images[index], self.noise(index))

    @cached_property
    def together(self) -> Images:
        """Returns the photographs, purified as one batch."""
        return self.purified([0, 1, 2])

    @cached_property
    def first(self) -> Images:
        """Returns the first photograph, purified alone."""
        return self.purified([0])

    @promises("return finite images in [0, 1], of the same size unless it says otherwise")
    def valid(self) -> str:
        """Checks that images are finite, in [0, 1] and of the right size; `Defence.__call__` raises if they are not."""
        try:
            found = self.together
            with torch.no_grad():
                self.defence(torch.zeros_like(self.images[[0]]), self.noise([0]))
        except ValueError as error:
            raise BrokenPromiseError(str(error)) from error
        return f"{found.shape[3]}x{found.shape[2]} of {self.images.shape[3]}x{self.images.shape[2]}; a black image too"

    @promises(QUIET, valid)
    def quiet(self) -> str:
        """Checks that purifying changes nothing that other entries share."""
        return require_quiet(self.watch, "as it purifies,", lambda: self.purified([0]))

    ROOT = (valid, quiet)  # without which nothing else can be judged

    @promises("be deterministic, given its noise", *ROOT)
    def repeats(self) -> str:
        """Checks that equal noise gives equal bits."""
        once = self.first
        again, drawn = draws(lambda: self.purified([0]))
        require(torch.equal(once, again), "runs differ: draw from `noise`, and only there")
        require_no_draws(drawn)
        return "equal bits"

    @promises("give the same image alone, in a batch and in another order", *ROOT, repeats)
    def independent(self) -> str:
        """Checks that an image becomes the same alone, in a batch and in another order."""
        alone = torch.cat([self.first, self.purified([1]), self.purified([2])])
        turned = self.purified([2, 1, 0]).flip(0)
        off = max((self.together - other).abs().max().item() for other in (alone, turned))
        require(off <= CLOSE, f"pixels differ by {off:.2g}: take nothing from the other images")
        return f"pixels differ by {off:.1g}"

    @promises("be random if and only if it says so", *ROOT, repeats)
    def random(self) -> str:
        """Checks that other noise gives another image if and only if the defence declares itself random."""
        with torch.no_grad():
            other = self.defence(self.images[[0]], ImageNoise(self.name, ["another draw"]))
        differs = not torch.equal(other, self.first)
        require(differs == self.defence.random, f"another draw changes {'it' if differs else 'nothing'}: declare that")
        return f"random = {differs}"

    @promises("leave its input untouched", *ROOT)
    def untouched(self) -> str:
        """Checks that the input stays as it was."""
        given = self.images[[0]].clone()
        with torch.no_grad():
            self.defence.purify(given, self.noise([0]))
        require(torch.equal(given, self.images[[0]]), "it writes into the images it was given: work on a copy")
        return "unchanged"

    @promises("pass a gradient, or let attacks go straight through", *ROOT, untouched)
    def attackable(self) -> str:
        """Checks that an adaptive attack has a gradient, or can take the defence for the identity."""
        if not self.defence.differentiable:
            require(
                self.defence.keeps_geometry,
                "differentiable = False lets attacks go straight through it, which needs every pixel in its place: "
                "write it with a gradient",
            )
            return "none; attacks go straight through it"
        images = self.images[[0]].clone().requires_grad_()
        weights = torch.linspace(-1, 1, 7, device=images.device)
        purified = self.defence(images, self.noise([0])).flatten()
        value = (purified * weights.repeat(len(purified) // 7 + 1)[: len(purified)]).sum()
        gradient = torch.autograd.grad(value, images)[0] if value.requires_grad else torch.zeros_like(images)
        require(bool(gradient.isfinite().all()), "its gradient is not finite: keep roots and divisions off 0")
        share = gradient.ne(0).float().mean().item()
        require(share > 0, "no gradient reaches the images: declare differentiable = False")
        return f"reaches {share:.0%} of the values"

    @promises("show the same as the clear images once aligned", *ROOT)
    def aligned(self) -> str:
        """Checks that `align` returns batches of one size, and that purified clear images correlate with clear ones."""
        found = self.defence.align(self.together, self.images, self.noise([0, 1, 2]))
        same = found.purified.shape == found.clear.shape
        require(same, f"shapes {tuple(found.purified.shape)} and {tuple(found.clear.shape)}: write `align`")
        correlation = torch.corrcoef(torch.stack([found.purified.flatten(), found.clear.flatten()]))[0, 1].item()
        require(correlation > 0.7, f"a correlation of {correlation:.2f} with the clear images: correct `align`")
        return f"correlation {correlation:.3f} with the clear images"


def check_defence(entry: Entry, device: torch.device) -> Iterator[Check]:
    """Yields what a defence must do and what the check saw, for its defaults and each of its presets.

    Raises:
        BenchError: If the defence does not load.
    """
    for preset, defence in build_defences(entry).items():
        of = f" (preset {preset})" if preset else ""
        if isinstance(defence, RobustTraining):  # a training does not change images
            yield from TrainingCheck(defence, device).results(of)
        else:
            yield from DefenceCheck(entry.name, defence, device).results(of)
