"""What an attack is: a search for a small change of an image that raises a number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self, TypeAlias, final

import torch
from torch import Tensor

Images: TypeAlias = Tensor  # (N, 3, H, W), float32, RGB in [0, 1]
Scores: TypeAlias = Tensor  # (N,), float32, one per image
Pattern: TypeAlias = Tensor  # (3, S, S), float32, added to images
State: TypeAlias = dict[str, Tensor]  # of a fit: all that the next step depends on


class Objective(Protocol):
    """The number to raise. It hides the metric: its sign, range, reference and device."""

    def __call__(self, images: Images) -> Scores:
        """Returns the objective of each image; one query per image."""

    def gradient(self, images: Images) -> Images:
        """Returns d objective / d image; one query and one backward pass per image."""

    def clear_score(self, metric: str) -> Scores:
        """Returns the clear images' own scores by a metric that the attack names in `needs`, in its own unit."""

    def closeness(self, metric: str) -> Objective:
        """Returns how close images are to the clear ones, by a full-reference metric that the attack names in `needs`.

        As a fraction of that metric's range, larger is closer. What it costs counts neither as query nor as gradient.
        """


class Noise(Protocol):
    """Randomness that depends on the attack and the image alone, not on batch, order or device."""

    def uniform(self, like: Images) -> Images:
        """Returns samples from [-1, 1), of the shape of `like`."""

    def normal(self, like: Images) -> Images:
        """Returns samples from N(0, 1), of the shape of `like`."""


class Budget(NamedTuple):
    """What an attack spends on one image."""

    queries: int  # forward passes; the pass inside a gradient counts as one
    gradients: int  # backward passes


@dataclass(frozen=True)
class Attack(ABC):
    """An attack with its settings; every field has a default, the one the benchmark runs.

    The class attributes are literals: the catalogue reads them from the source, without importing.
    """

    access: ClassVar[Literal["white", "black"]]  # white: may ask for gradients
    family: ClassVar[Literal["sign", "optimised", "universal", "query", "colour", "geometric", "control"]]
    suite: ClassVar[Literal["base", "wide"]] = "wide"  # base: of the base benchmark; presets choose by it
    needs: ClassVar[tuple[str, ...]] = ()  # metrics that it asks beside the objective
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # other settings that run beside the default

    eps: float = 10 / 255  # the largest change of a channel value; 1 is no limit
    goal: Literal["better", "worse"] = "better"  # which way the metric's opinion of the image is moved

    @final
    def __call__(self, images: Images, objective: Objective, noise: Noise) -> Images:
        """Attacks the batch and guarantees the result: same shape, finite, within eps and [0, 1].

        Args:
            images: The clear images, (N, 3, H, W) in [0, 1]; left untouched.
            objective: The number to raise, one per image.
            noise: The only source of randomness.

        Returns:
            The adversarial images, (N, 3, H, W) in [0, 1].

        Raises:
            ValueError: If `perturb` returns another shape or values that are not finite.
        """
        adversarial = self.perturb(images.clone(), self.aim(objective), noise).detach()
        extremes = torch.stack(torch.aminmax(adversarial))  # NaN where there is one; makes no map
        if adversarial.shape != images.shape or not extremes.isfinite().all():
            raise ValueError(
                f"{type(self).__name__}.perturb must return finite images of shape {tuple(images.shape)}; "
                f"got shape {tuple(adversarial.shape)}, {int((~adversarial.isfinite()).sum())} values not finite"
            )
        return self.project(adversarial, images)

    @abstractmethod
    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        """Returns images with a higher objective; the caller projects them."""

    @abstractmethod
    def budget(self) -> Budget:
        """Returns what `perturb` spends on one image."""

    def project(self, adversarial: Images, images: Images) -> Images:
        """Returns the nearest images within eps of `images` and within [0, 1]."""
        return torch.clamp(adversarial, images - self.eps, images + self.eps).clamp_(0, 1)

    def aim(self, objective: Objective) -> Aim:
        """Returns what is raised for this attack's goal."""
        return Aim(objective, 1 if self.goal == "better" else -1)


@dataclass(frozen=True)
class Universal(Attack):
    """One pattern for all images: fitted once per metric and training set, then repeated over every image and added.

    The caller draws the crops, stops and resumes; the author says how a fit begins, how a batch of crops moves it on,
    and which pattern it has come to. Once it has a pattern, it asks the metric nothing.
    """

    access = "white"  # for the fit
    family = "universal"

    eps: float = 0.1  # the pattern's largest value, before the amplitude
    amplitudes: tuple[float, ...] = (0.2, 0.4, 0.8)  # what the pattern is multiplied with; each gives rows of its own
    crop: int = 256  # side of the pattern and of the crops it is fitted on, in pixels
    batch: int = 8  # crops per step
    epochs: int = 5  # how often the fit sees every image of the training set
    pattern: Pattern | None = None  # what the fit came to; none before

    @abstractmethod
    def begin(self, noise: Noise) -> State:
        """Returns the state that a fit begins with."""

    @abstractmethod
    def step(self, state: State, crops: Images, objective: Objective) -> State:
        """Returns the state after a step that raises the objective of the crops on average."""

    @abstractmethod
    def reached(self, state: State) -> Pattern:
        """Returns the pattern of a state, (3, crop, crop) within eps."""

    @final
    def fit(self, batches: Iterable[tuple[Images, Objective]], state: State) -> Iterator[State]:
        """Yields the state after each batch; a fit that is given one of them goes on from there.

        Args:
            batches: Crops, (N, 3, crop, crop) in [0, 1], and the number to raise for them.
            state: What `begin` returned, or a later state.
        """
        for crops, objective in batches:
            state = self.step(state, crops, self.aim(objective))
            yield state

    def at(self, amplitude: float, pattern: Pattern) -> Self:
        """Returns the attack that adds the pattern at an amplitude."""
        return replace(self, eps=amplitude * self.eps, pattern=amplitude * pattern)

    def gradients(self, pattern: Pattern, crops: Images, objective: Objective) -> Images:
        """Returns each crop's gradient of the objective with respect to the pattern; 0 where [0, 1] cuts it off."""
        moved = crops + pattern
        inside = (moved >= 0) & (moved <= 1)
        return objective.gradient(moved.clamp_(0, 1)).where(inside, 0)

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        """Adds the pattern, repeated from the upper left corner on.

        Raises:
            ValueError: If there is none yet.
        """
        if self.pattern is None:
            raise ValueError(f"{type(self).__name__} must be fitted before it attacks: run python -m pipeline fit")
        height, width = images.shape[-2:]
        rows, columns = -(-height // self.pattern.shape[-2]), -(-width // self.pattern.shape[-1])
        return images + self.pattern.to(images).repeat(1, rows, columns)[:, :height, :width]

    def budget(self) -> Budget:
        """Returns nothing: what the fit has spent is shared by all images."""
        return Budget(queries=0, gradients=0)


@dataclass(frozen=True)
class Aim:
    """What `perturb` is given: the objective, turned round for `goal="worse"`, its gradients always finite."""

    objective: Objective
    sign: int

    def __call__(self, images: Images) -> Scores:
        """Returns the objective of each image."""
        return self.sign * self.objective(images)

    def gradient(self, images: Images) -> Images:
        """Returns the gradient, with 0 where it is not finite: no direction is known there, so nothing is moved."""
        gradient = self.objective.gradient(images)
        return (gradient if self.sign > 0 else -gradient).nan_to_num_(nan=0, posinf=0, neginf=0)

    def clear_score(self, metric: str) -> Scores:
        """Returns the clear images' own scores by `metric`."""
        return self.objective.clear_score(metric)

    def closeness(self, metric: str) -> Objective:
        """Returns how close images are to the clear ones by `metric`: wanted, whichever way the opinion is moved."""
        return Aim(self.objective.closeness(metric), 1)


def per_image(values: Tensor) -> Tensor:
    """Views (N,) values as (N, 1, 1, 1), to be multiplied with images."""
    return values.view(-1, 1, 1, 1)
