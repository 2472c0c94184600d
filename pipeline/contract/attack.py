"""The contract of an attack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import torch

from metric_robustness.attacks.base import Attack, Targeted, Universal
from metric_robustness.metrics.base import FullReference, Images, NoReference, Scores
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.contract.base import (
    CLOSE,
    NAMES,
    QUIET,
    BrokenPromiseError,
    Check,
    Checks,
    checked,
    draws,
    photographs,
    promises,
    require,
    require_no_draws,
    require_quiet,
)
from metric_robustness.pipeline.contract.universal import FitCheck
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective


def has_formula(entry: Entry) -> str:
    """Checks that the file says in one line what the attack does."""
    formula = entry.fields.get("formula", "")
    example = 'formula = "y ← clip(y + step·sign ∇J(y)), from y = x"'
    require(bool(formula.strip()), f"it has no formula: write one into the class, as in {example}")
    require(
        "\n" not in formula, f"the formula has {formula.count(chr(10)) + 1} lines: write it in one, as in {example}"
    )
    return str(formula)


def has_source(entry: Entry) -> str:
    """Checks that the file says where the attack comes from."""
    source = entry.fields.get("source", "")
    paper = "Authors. Title of the paper. Venue, year. https://..."
    otherwise = f'write "{paper}" below the docstring\'s title, or source = "..." into the class where there is none'
    require(bool(source.strip()), f"it names no source: {otherwise}")
    return str(source)


def has_targets(attack: Targeted) -> str:
    """Checks that each image of a set has a finite target, which does not depend on the order of the images."""
    known = f'its family is "{attack.family}", by which no table knows it: leave it to the base class'
    require(attack.family == Targeted.family, known)
    scores = torch.tensor([3.0, 9.5, 1.0, 4.0, 9.5, 2.0, 6.0, 5.0])
    found, turned = attack.targets(scores.clone()), attack.targets(scores.flip(0))
    require(
        found.shape == scores.shape and bool(found.isfinite().all()),
        f"targets of {len(scores)} scores have shape {tuple(found.shape)}, {int((~found.isfinite()).sum())} values not "
        "finite: return one finite score per image",
    )
    off = (found - turned.flip(0)).abs().max().item()
    require(off <= CLOSE, f"in another order of the images targets differ by {off:.2g}: let equal scores share one")
    return f"targets from {found.min().item():g} to {found.max().item():g} for scores from 1 to 9.5"


class Contrast(NoReference):
    """The metric that attacks are checked on: the mean difference of neighbouring luma values, smooth everywhere."""

    higher_is_better = True
    score_range = (0.0, 0.2)

    def score(self, images: Images) -> Scores:
        """Returns the mean gradient magnitude."""
        luma = images.mean(dim=1)
        across, down = luma.diff(dim=2)[:, 1:], luma.diff(dim=1)[:, :, 1:]
        return (across.square() + down.square() + 1e-6).sqrt().mean(dim=(1, 2))


class Sameness(FullReference):
    """The surrogate that stands for every one that an attack asks: 1 minus the mean squared error."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images, references: Images) -> Scores:
        """Returns 1 for an image that equals its reference, less for others."""
        return 1 - (images - references).square().mean(dim=(1, 2, 3))


class AttackCheck(Checks):
    """The checks of one attack with one set of settings, on photographs of an odd size."""

    def __init__(self, name: str, attack: Attack, device: torch.device) -> None:
        super().__init__()
        self.name, self.attack, self.device = name, attack, device
        self.metric = Contrast().to(device)
        self.images = photographs(49, 67).to(device)

    def objective(self, images: Images) -> MetricObjective:
        """Returns the objective.

        Each surrogate that the attack needs is `Sameness`, but with a clear score of 4, which is usual for NIQE.
        """
        known = {name: torch.full((len(images),), 4.0, device=self.device) for name in self.attack.needs}
        close = {name: MetricObjective(Sameness(), images) for name in self.attack.needs}
        return MetricObjective(self.metric, access=self.attack.access, surrogate_scores=known, surrogates=close)

    def result(self, index: list[int], attack: Attack | None = None) -> Images:
        """Returns the adversarial images of some of the photographs."""
        images = self.images[index]
        noise = ImageNoise(self.name, [NAMES[i] for i in index])
        return (attack or self.attack)(images, self.objective(images), noise)

    @cached_property
    def found(self) -> tuple[Images, MetricObjective]:
        """Returns the adversarial images of all photographs, and the objective, which counted what they took."""
        objective = self.objective(self.images)
        return self.attack(self.images, objective, ImageNoise(self.name, NAMES)), objective

    @cached_property
    def first(self) -> Images:
        """Returns the adversarial image of the first photograph."""
        return self.result([0])

    @promises('ask for gradients only when access = "white"')
    def honest(self) -> str:
        """Checks that the attack asks for gradients only if it declares itself white-box."""
        try:
            _ = self.first
        except PermissionError as error:
            raise BrokenPromiseError(str(error)) from error
        return f'access = "{self.attack.access}"'

    @promises(QUIET, honest)
    def quiet(self) -> str:
        """Checks that attacking changes nothing that other entries share."""
        return require_quiet(self.watch, "as it attacks,", lambda: self.result([0]))

    ROOT = (honest, quiet)  # without which nothing else can be judged

    @promises("be deterministic", *ROOT)
    def repeats(self) -> str:
        """Checks that equal noise gives equal bits."""
        once = self.result([0, 1])
        again, drawn = draws(lambda: self.result([0, 1]))
        require(torch.equal(once, again), "runs differ: draw from `noise`, and only there")
        require_no_draws(drawn)
        return "equal bits"

    @promises("give the same image alone, in a batch and in another order", *ROOT, repeats)
    def independent(self) -> str:
        """Checks that an image becomes the same alone, in a batch and in another order."""
        together, _ = self.found
        alone = torch.cat([self.first, self.result([1]), self.result([2])])
        turned = self.result([2, 1, 0]).flip(0)
        off = max((together - alone).abs().max().item(), (together - turned).abs().max().item())
        require(off <= CLOSE, f"pixels differ by {off:.2g}: keep norms, sums and decisions per image")
        return f"pixels differ by {off:.1g}"

    @promises("raise the objective after rounding to 8 bits", *ROOT)
    def raises(self) -> str:
        """Checks that the objective rises for every image, after rounding to 8 bits; a control need not raise it."""
        value = self.attack.aim(self.objective(self.images))
        attacked = self.attack.rounded(self.found[0], self.images)
        gains = (value(attacked) - value(self.images)).tolist()
        shown = ", ".join(f"{gain:+.3f}" for gain in gains)
        if self.attack.family == "control":
            return f"a control need not; moves it by {shown} of the range"
        require(min(gains) > 0, f"it moves by {shown} of the range: go up the gradient, and survive rounding to 8 bits")
        return f"by {shown} of the range"

    @promises("stay within eps and [0, 1]", *ROOT)
    def stays(self) -> str:
        """Checks that images stay within eps and [0, 1], even if the author replaced parts of the base class."""
        found, _ = self.found
        change = (found - self.images).abs().max().item()
        require(change <= self.attack.eps + 1e-6, f"the change is {change:.4f}; eps is {self.attack.eps:.4f}: project")
        require(bool((found >= 0).all() and (found <= 1).all()), "values leave [0, 1]: project")
        return f"largest change {change * 255:.1f}/255 of {self.attack.eps * 255:.1f}/255"

    @promises("leave its input untouched", *ROOT)
    def untouched(self) -> str:
        """Checks that the input stays as it was."""
        given = self.images.clone()
        self.attack.perturb(given, self.objective(given), ImageNoise(self.name, NAMES))
        require(torch.equal(given, self.images), "it writes into the images it was given: work on a copy")
        return "unchanged"

    @promises("do nothing with eps = 0", *ROOT)
    def nothing(self) -> str:
        """Checks that eps = 0 changes nothing."""
        found = self.result([0, 1, 2], replace(self.attack, eps=0.0))
        require(torch.equal(found, self.images), "the image changes: scale every step by eps, or leave it to project")
        return "unchanged"

    @promises("spend the queries and gradients it declares", *ROOT)
    def spends(self) -> str:
        """Checks that the attack spends the queries and gradients that it declares."""
        _, objective = self.found
        declared = self.attack.budget()
        spent = (objective.queries, objective.gradients)
        require(spent == tuple(declared), f"spent {spent}, declared {tuple(declared)}: correct `budget`")
        return f"{spent[0]} queries, {spent[1]} gradients"


def check_attack(entry: Entry, device: torch.device) -> Iterator[Check]:
    """Yields what an attack must do and what the check saw, for its defaults and each of its variants.

    Raises:
        BenchError: If the attack does not load.
    """
    variants = attack_variants(entry, Settings())
    yield from checked("have a formula: in one line, what it does", lambda: has_formula(entry))
    yield from checked("name its source", lambda: has_source(entry))
    if isinstance(default := variants[""], Targeted):
        yield from checked("give each image of a set a target", lambda: has_targets(default))
    for variant, attack in variants.items():
        of = f" (variant {variant})" if variant else ""
        if isinstance(attack, Universal):
            fit = FitCheck(entry.name, attack, Contrast().to(device), device)
            (bounded,) = checked(f"fit a finite pattern within eps{of}", fit.bounded)
            yield bounded
            if bounded.status == "failed":
                continue  # there is no pattern to check
            yield from checked(f"fit the same pattern when it is stopped and goes on{of}", fit.resumes)
            look = AttackCheck(entry.name, attack.at(max(attack.amplitudes), fit.pattern), device)
        else:
            look = AttackCheck(entry.name, attack, device)
        yield from look.results(of)
