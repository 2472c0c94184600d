"""Random transformations of an image and its reference, as E-LPIPS draws them: scale, shift, flips and colours.

Kettunen, Härkönen, Lehtinen: E-LPIPS: robust perceptual image similarity via random transformation ensembles, 2019.
https://arxiv.org/abs/1906.03973
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import torch
from torch.nn.functional import avg_pool2d, pad

from metric_robustness.metrics.base import Images

SHIFT = 7  # largest shift, in pixels
DARKEST = 0.2  # least factor of a colour channel
MOST_SCALES, LEAST_SIDE = 8, 64  # images are reduced up to 8 times, but not below 64 pixels
ORDERS = tuple(permutations(range(3)))  # of the colours
TURNS: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))  # axes that a flip turns round


@dataclass(frozen=True)
class Transformation:
    """A random change of an image and of its reference."""

    scale: int  # the image becomes so many times smaller
    phase: tuple[int, int]  # how many mirrored rows and columns stand before it when it does
    shift: tuple[int, int]  # down and to the right, in pixels of the smaller image
    flips: tuple[int, ...]  # axes that are turned round
    swap: bool  # whether rows become columns
    channels: tuple[int, ...]  # which colour each channel shows
    factors: tuple[float, ...]  # that the channels are multiplied by

    def __call__(self, images: Images) -> Images:
        """Returns (N, 3, h, w) of (N, 3, H, W) images; sizes depend on `scale` and `swap` alone."""
        if self.scale > 1:
            ends = [
                whole * self.scale - side - before
                for whole, side, before in zip(
                    self.reduced(*images.shape[2:]), images.shape[2:], self.phase, strict=True
                )
            ]
            mirrored = pad(images, (self.phase[1], ends[1], self.phase[0], ends[0]), mode="reflect")
            images = avg_pool2d(mirrored, self.scale)
        down, right = self.shift
        images = pad(images, (right, SHIFT - right, down, SHIFT - down), mode="reflect").flip(self.flips)
        if self.swap:
            images = images.transpose(2, 3)
        return images[:, list(self.channels)] * images.new_tensor(self.factors)[:, None, None]

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and the width of the smaller image, in which every phase has room."""
        return ((height + 2 * self.scale - 2) // self.scale, (width + 2 * self.scale - 2) // self.scale)


def draw(count: int, height: int, width: int) -> list[Transformation]:
    """Draws transformations; each is distributed as the authors' are, and together they spread over all cases.

    Args:
        count: How many.
        height: Of the images, in pixels; small ones are reduced less.
        width: The same.
    """
    scales = torch.arange(1, min(MOST_SCALES, max(1, min(height, width) // LEAST_SIDE)) + 1)
    shares = scales.double().pow(-2).cumsum(0)
    places = torch.stack([(torch.randperm(count) + torch.rand(count)) / count for _ in range(11)], dim=1)
    return [_placed(place, 1 + int((shares / shares[-1] <= place[0]).sum())) for place in places.tolist()]


def _placed(place: list[float], scale: int) -> Transformation:
    """Returns the transformation of a scale that stands at a place in the unit cube: a coordinate for each choice."""
    _, above, before, down, right, turn, swap, order, *colours = place
    return Transformation(
        scale,
        phase=(int(above * scale), int(before * scale)),
        shift=(int(down * (SHIFT + 1)), int(right * (SHIFT + 1))),
        flips=TURNS[int(turn * len(TURNS))],
        swap=swap < 0.5,
        channels=ORDERS[int(order * len(ORDERS))],
        factors=tuple(DARKEST + (1 - DARKEST) * colour for colour in colours),
    )


def by_size(drawn: list[Transformation], height: int, width: int) -> list[list[Transformation]]:
    """Returns transformations in groups whose images have one size, and can go through the network together."""
    groups: dict[tuple[int, bool], list[Transformation]] = {}
    for each in drawn:
        groups.setdefault((each.scale, each.swap and height != width), []).append(each)
    return list(groups.values())
