"""Targets: the score that each image shall get, found once from the clear scores of the whole set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from metric_robustness.attacks.base import Attack, Images, Objective, Scores, Targeted, per_image
from metric_robustness.pipeline.cells.cell import FEWEST_IN_ORDER
from metric_robustness.pipeline.engine.metric.objective import MetricObjective
from metric_robustness.pipeline.errors import DataError


@dataclass(frozen=True)
class Targets:
    """The targets of the images, or clips, of a data set.

    Attributes:
        scores: By name, in the metric's unit; None for an attack that has no targets.
        excluded: Why there is no target.
    """

    scores: Mapping[str, float] | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)

    def of(self, names: Sequence[str], like: Images) -> Scores | None:
        """Returns the targets of some images, (N,), where `like` lies; None for an attack that has no targets."""
        if self.scores is None:
            return None
        return torch.tensor([self.scores[name] for name in names], dtype=torch.float32, device=like.device)


def targets_of(attack: Attack, names: Sequence[str], clear: Scores) -> Targets:
    """Returns the targets of a whole set, so that they depend on no batch; nothing for an attack that has none.

    Args:
        attack: The attack.
        names: Of all images, or clips.
        clear: Their clear scores, (N,); not finite where there is none.

    Raises:
        DataError: If the attack has another goal than its targets, or returns targets that cannot be used.
    """
    if not isinstance(attack, Targeted):
        return Targets()
    if attack.goal != "better":
        raise DataError(f"{type(attack).__name__} drives scores to targets; got goal={attack.goal}: remove it")
    known = {name: score for name, score in zip(names, clear.tolist(), strict=True) if math.isfinite(score)}
    if reason := _no_order(list(known.values())):
        return Targets({}, dict.fromkeys(known, reason))
    found = attack.targets(torch.tensor(list(known.values())))
    if found.shape != (len(known),) or not found.isfinite().all():
        raise DataError(
            f"{type(attack).__name__}.targets must return {len(known)} finite scores, one per image; "
            f"got shape {tuple(found.shape)}, {int((~found.isfinite()).sum())} not finite: correct it"
        )
    return Targets(dict(zip(known, found.tolist(), strict=True)))


def _no_order(scores: Sequence[float]) -> str:
    """Returns why scores have no order that could be changed; nothing if they have one."""
    if len(scores) < FEWEST_IN_ORDER:
        return f"a set must have {FEWEST_IN_ORDER} scored images to be ordered; got {len(scores)}: take more images"
    return "all images of the set have this clear score, so they have no order" if len(set(scores)) == 1 else ""


@dataclass(frozen=True)
class Towards:
    """The objective of a targeted attack: minus the distance of each image's score from its target.

    Attributes:
        objective: Gives the score in parts of the metric's range, and counts what is asked.
        targets: In the same parts, (N,).
    """

    objective: MetricObjective
    targets: Scores

    def __call__(self, images: Images) -> Scores:
        """Returns minus the distances, (N,)."""
        return -(self.objective(images) - self.targets).abs()

    def gradient(self, images: Images) -> Images:
        """Returns the gradients of `value_and_gradient`."""
        return self.value_and_gradient(images)[1]

    def value_and_gradient(self, images: Images) -> tuple[Scores, Images]:
        """Returns minus the distances, (N,), with the gradients, which are 0 for an image that is at its target."""
        value, gradient = self.objective.value_and_gradient(images)
        left = self.targets - value
        return -left.abs(), gradient * per_image(left.sign())

    def clear_score(self, metric: str) -> Scores:
        """Returns the (N,) scores of the clear images by a surrogate."""
        return self.objective.clear_score(metric)

    def closeness(self, metric: str) -> Objective:
        """Returns how close images are to the clear ones, by a surrogate."""
        return self.objective.closeness(metric)
