"""What a walk along boundaries of a score does to changes: they turn, so that they get smaller, and grow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch

from metric_robustness.attacks.base import Images, Scores, per_image

Score: TypeAlias = Callable[[Images], Scores]  # of a change, (N, 3, H, W), added to the clear images
TINY = torch.finfo().tiny


def grown(score: Score, changes: Iterable[Images], change: Images, boundary: Scores) -> tuple[Images, Scores]:
    """Returns of `change`, whose score is `boundary`, and `changes` the one with the highest score, and its score."""
    for other in changes:
        value = score(other)
        beyond = value > boundary
        change, boundary = other.where(per_image(beyond), change), value.where(beyond, boundary)
    return change, boundary


def turned(score: Score, boundary: Scores, change: Images, direction: Images, angle: Images) -> tuple[Images, Images]:
    """Returns the change turned by an angle, and so made smaller, where its score stays; and the next angle."""
    outward = unit(change)
    sideways = unit(direction - (direction * outward).mean((1, 2, 3), keepdim=True) * outward)
    sideways = sideways * change.square().mean((1, 2, 3), keepdim=True).sqrt()
    succeeded = torch.zeros_like(angle, dtype=torch.bool)
    for way in (angle, -angle):
        smaller = way.cos().square() * change + way.cos() * way.sin() * sideways
        beyond = per_image(score(smaller) >= boundary) & ~succeeded
        change, succeeded = smaller.where(beyond, change), succeeded | beyond
    return change, (1.3 * angle).where(succeeded, angle / 1.1).clamp(0.01, 1.0)


def unit(change: Images) -> Images:
    """Returns the changes with a root mean square of 1; zeros stay."""
    return change / change.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(TINY)
