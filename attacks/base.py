"""Base classes of attacks: an attack searches for a small change of an image that raises a number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self, TypeAlias, final

import torch
from torch import Tensor

Images: TypeAlias = Tensor  # (N, 3, H, W), float32, RGB in [0, 1]
Scores: TypeAlias = Tensor  # (N,), float32, one per image
Pattern: TypeAlias = Tensor  # (3, S, S), float32, added to images
State: TypeAlias = dict[str, Tensor]  # everything that the next step of a fit depends on, by name


class Objective(Protocol):
    """What an attack raises. It hides the metric: which direction is better, range, references and device.

    A value is a score in parts of the metric's range, larger where the metric calls the image better.
    """

    def __call__(self, images: Images) -> Scores:
        """Returns the (N,) objective of (N, 3, H, W) images; costs one query per image."""

    def gradient(self, images: Images) -> Images:
        """Returns the (N, 3, H, W) gradients of each image's own objective; costs a query and a gradient per image."""

    def value_and_gradient(self, images: Images) -> tuple[Scores, Images]:
        """Returns the (N,) objective with its (N, 3, H, W) gradients, at the cost of the gradients alone."""

    def clear_score(self, metric: str) -> Scores:
        """Returns the (N,) scores of the clear images by a metric that the attack names in `needs`, in its unit."""

    def closeness(self, metric: str) -> Objective:
        """Returns an objective that rises the closer images are to the clear ones.

        Its value is in parts of the metric's range. It costs neither queries nor gradients.

        Args:
            metric: A full-reference metric that the attack names in `needs`.
        """


class Noise(Protocol):
    """Random numbers that depend on the attack and the image alone, not on batch, order or device."""

    def uniform(self, like: Images) -> Images:
        """Returns uniform samples from [-1, 1) in the shape of `like`, (N, ...): each image has its own."""

    def normal(self, like: Images) -> Images:
        """Returns samples from N(0, 1) in the shape of `like`, (N, ...): each image has its own."""


class Budget(NamedTuple):
    """What an attack may spend on one image."""

    queries: int  # forward passes, including the one that a gradient needs
    gradients: int  # backward passes


@dataclass(frozen=True)
class Attack(ABC):
    """An attack with its settings, which are the fields; the benchmark runs the defaults.

    Class attributes must be literals, because the catalogue reads them from the source without importing it.
    """

    access: ClassVar[Literal["white", "black"]]  # white: may take gradients
    family: ClassVar[Literal["sign", "optimised", "universal", "query", "colour", "geometric", "rank", "control"]]
    # base: an attack of the base benchmark; strong: finds the worst case; wide: all others. Presets select by suite.
    suite: ClassVar[Literal["base", "strong", "wide"]] = "wide"
    needs: ClassVar[tuple[str, ...]] = ()  # surrogates: further metrics that it asks
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # name: settings that run as well as the defaults
    # Settings, by attack, with which it and others first try a few images: it goes on only where it comes near them.
    scout: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # nothing: it always runs
    formula: ClassVar[str]  # what it does, in one line, in the words of docs/attacks.md
    differs: ClassVar[str] = ""  # what is not as in the base benchmark or the paper, and why

    eps: float = 10 / 255  # largest change of a channel value; 1 sets no limit
    goal: Literal["better", "worse"] = "better"  # whether the metric shall call the image better or worse

    @final
    def __call__(self, images: Images, objective: Objective, noise: Noise) -> Images:
        """Attacks a batch and checks the result: same shape, finite, within eps and [0, 1].

        Args:
            images: The clear images, (N, 3, H, W) in [0, 1]; stay unchanged.
            objective: What to raise.
            noise: The only source of random numbers.

        Returns:
            The adversarial images, (N, 3, H, W) in [0, 1].

        Raises:
            ValueError: If `perturb` returns another shape or values that are not finite.
        """
        adversarial = self.perturb(images.clone(), self.aim(objective), noise).detach()
        extremes = torch.stack(torch.aminmax(adversarial))  # NaN if any value is NaN; allocates no mask
        if adversarial.shape != images.shape or not extremes.isfinite().all():
            raise ValueError(
                f"{type(self).__name__}.perturb must return finite images of shape {tuple(images.shape)}; "
                f"got shape {tuple(adversarial.shape)}, {int((~adversarial.isfinite()).sum())} values not finite"
            )
        return self.project(adversarial, images)

    @abstractmethod
    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        """Returns images with a higher objective, (N, 3, H, W) and finite; the caller projects them.

        Args:
            images: A copy of the clear images, (N, 3, H, W) in [0, 1].
            objective: What to raise, whatever the goal.
            noise: The only source of random numbers.
        """

    @abstractmethod
    def budget(self) -> Budget:
        """Returns the queries and gradients that `perturb` spends on one image."""

    def project(self, adversarial: Images, images: Images) -> Images:
        """Returns the nearest images within eps of `images` and within [0, 1]."""
        return torch.clamp(adversarial, images - self.eps, images + self.eps).clamp_(0, 1)

    def rounded(self, adversarial: Images, images: Images) -> Images:
        """Returns the images as 8-bit files hold them, within the largest multiple of 1/255 that eps holds.

        Plain rounding would break the budget where eps is no multiple of 1/255: 25.5/255 would become 26/255.

        Args:
            adversarial: (N, 3, H, W) in [0, 1].
            images: The clear images, which lie on the 256 levels.
        """
        levels = int(self.eps * 255 + 1e-3)
        clear = images.mul(255).round_()
        change = adversarial.mul(255).round_().sub_(clear).clamp_(-levels, levels)
        return change.add_(clear).div_(255)

    def aim(self, objective: Objective) -> Aim:
        """Returns the objective that serves this attack's goal."""
        return Aim(objective, 1 if self.goal == "better" else -1)


@dataclass(frozen=True)
class Search(Attack):
    """An attack that can begin at what another search found, such as the same attack within a larger eps.

    A security curve needs the worst case within several budgets. What the largest one allows, cut to fit a smaller one,
    is so good a start that a few steps suffice there.
    """

    narrower: ClassVar[Mapping[str, Any]] = {}  # the settings of a search that begins like this

    start: Images | None = None  # (N, 3, H, W), where the search begins; None: at the clear images

    def within(self, eps: float) -> Self:
        """Returns the search that goes on within a smaller eps."""
        return replace(self, eps=eps, **self.narrower)

    def begin(self, images: Images) -> Images:
        """Returns where the search begins, within eps of the clear images."""
        return images if self.start is None else self.project(self.start, images)


@dataclass(frozen=True)
class Targeted(Search):
    """An attack that drives each image's score to a target of its own, which depends on the scores of the whole set.

    The caller asks for the targets once per set, before it attacks the first image. So an image's target depends on the
    set, but not on the batch. What `perturb` is to raise is then minus the distance of the score from the target.
    """

    family = "rank"

    @abstractmethod
    def targets(self, scores: Scores) -> Scores:
        """Returns the score that each image shall have, (N,) and finite, in the unit of the scores.

        Args:
            scores: The clear scores of all images of a set, (N,), finite and not all equal; N is at least 8.
        """


@dataclass(frozen=True)
class Universal(Attack):
    """An attack that adds one pattern to all images, repeated over each.

    A fit finds the pattern once per metric and training set; it may find something else of which a change is made (see
    `added`). The caller draws the crops, stops and resumes the fit. A
    subclass says how a fit begins (`begin`), how a batch of crops changes its state (`step`), and which pattern a
    state holds (`reached`). With a pattern, the attack does not query the metric any more.

    The published fits go over thousands of images. On few, as many epochs are 10 steps or 2, after which Adam's pattern
    has barely left its start; so a fit goes on until it has taken `least_steps`.
    """

    access = "white"  # the fit takes gradients
    family = "universal"

    eps: float = 0.1  # largest value of the pattern, before the amplitude scales it
    amplitudes: tuple[float, ...] = (0.2, 0.4, 0.8)  # factors of the pattern; each gives rows of its own
    crop: int = 256  # side of the pattern and of the training crops, in pixels
    batch: int = 8  # crops per step
    epochs: int = 5  # passes of the fit over the training set; more of a small one
    least_steps: int = 100  # of a fit, however small the training set
    pattern: Pattern | None = None  # result of the fit; None before it

    @abstractmethod
    def begin(self, noise: Noise) -> State:
        """Returns the state that a fit begins with; `noise` is its only source of random numbers."""

    @abstractmethod
    def step(self, state: State, crops: Images, objective: Objective) -> State:
        """Returns the state after one step that raises the mean objective of (N, 3, crop, crop) crops."""

    @abstractmethod
    def reached(self, state: State) -> Pattern:
        """Returns the pattern that a state holds, (3, crop, crop) within eps."""

    @property
    def pattern_shape(self) -> tuple[int, ...]:
        """Returns the shape of what a fit finds."""
        return 3, self.crop, self.crop

    @final
    def passes(self, images: int) -> int:
        """Returns how often a fit goes over a number of images: `epochs` times, or until it has taken `least_steps`."""
        return max(self.epochs, ceil(self.least_steps / ceil(images / max(self.batch, 1))))

    @final
    def fit(self, batches: Iterable[tuple[Images, Objective]], state: State) -> Iterator[State]:
        """Yields the state after each batch, from any of which a fit can resume.

        Args:
            batches: Pairs of crops, (N, 3, crop, crop) in [0, 1], and the objective to raise on them.
            state: What `begin` returned, or a state to resume from.
        """
        for crops, objective in batches:
            state = self.step(state, crops, self.aim(objective))
            yield state

    def at(self, amplitude: float, pattern: Pattern) -> Self:
        """Returns this attack with a pattern and its eps, both times `amplitude`."""
        return replace(self, eps=amplitude * self.eps, pattern=amplitude * pattern)

    def gradients(self, pattern: Pattern, crops: Images, objective: Objective) -> Images:
        """Returns the gradients of the objective with respect to the pattern, one per crop.

        They are 0 where clipping to [0, 1] removes what the pattern adds.

        Args:
            pattern: (3, S, S), or one for each crop, (N, 3, S, S).
            crops: (N, 3, S, S) in [0, 1].
            objective: What to raise on the crops.

        Returns:
            (N, 3, S, S).
        """
        moved = crops + pattern
        inside = (moved >= 0) & (moved <= 1)
        return objective.gradient(moved.clamp_(0, 1)).where(inside, 0)

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        """Adds what the fit found to each image.

        Raises:
            ValueError: If the attack has no pattern.
        """
        if self.pattern is None:
            raise ValueError(f"{type(self).__name__} must be fitted before it attacks: run python -m pipeline fit")
        return images + self.added(self.pattern.to(images), images)

    def added(self, pattern: Pattern, images: Images) -> Images:
        """Returns what a pattern adds to (N, 3, H, W) images: itself, (3, H, W), repeated from the upper left corner.

        An attack whose fit finds something else, such as a network's weights, overrides this, `pattern_shape` and `at`.
        """
        height, width = images.shape[-2:]
        rows, columns = -(-height // pattern.shape[-2]), -(-width // pattern.shape[-1])
        return pattern.repeat(1, rows, columns)[:, :height, :width]

    def budget(self) -> Budget:
        """Returns zeros: all images share what the fit has spent."""
        return Budget(queries=0, gradients=0)


@dataclass(frozen=True)
class Aim:
    """The objective as `perturb` receives it: negative for `goal="worse"`, with finite gradients."""

    objective: Objective
    sign: int

    def __call__(self, images: Images) -> Scores:
        """Returns the (N,) objective of the images, with this goal's sign."""
        return self.sign * self.objective(images)

    def gradient(self, images: Images) -> Images:
        """Returns the gradients, 0 where they are not finite: no direction is known there, so the pixel stays."""
        return self.value_and_gradient(images)[1]

    def value_and_gradient(self, images: Images) -> tuple[Scores, Images]:
        """Returns the (N,) objective, and the gradients as `gradient` does."""
        value, gradient = self.objective.value_and_gradient(images)
        gradient = (gradient if self.sign > 0 else -gradient).nan_to_num_(nan=0, posinf=0, neginf=0)
        return self.sign * value, gradient

    def clear_score(self, metric: str) -> Scores:
        """Returns the (N,) scores of the clear images by `metric`."""
        return self.objective.clear_score(metric)

    def closeness(self, metric: str) -> Objective:
        """Returns the closeness to the clear images by `metric`, with no sign: every goal wants it high."""
        return Aim(self.objective.closeness(metric), 1)


def per_image(values: Tensor) -> Tensor:
    """Returns (N,) values as (N, 1, 1, 1), a shape that multiplies with images."""
    return values.view(-1, 1, 1, 1)
