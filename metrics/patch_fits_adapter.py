"""Fits distributions to all patches of many maps at once, for metrics of natural scene statistics.

The gradients are written out: autograd would record every step of a fit, which would take most of the time. A patch
that has no fit, such as a flat one, gets NaN as its parameters and 0 as its gradient.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

STEPS = 50  # of Newton's method at most; it takes about 3
CONVERGED = 1e-3  # Newton stops below this step of a Weibull shape's logarithm; the next step would be about its square


def split(maps: Tensor, side: int) -> Tensor:
    """Returns (N, C, H, W) maps, whose sides are multiples of `side`, as (N, C, rows, side, columns, side)."""
    height, width = maps.shape[2:]
    return maps.reshape(*maps.shape[:2], height // side, side, width // side, side)


def listed(values: Tensor) -> Tensor:
    """Returns (N, C, rows, columns, K) values as (N, patches, C * K), patches column by column."""
    return values.permute(0, 3, 2, 1, 4).flatten(1, 2).flatten(2)


def asymmetric(patches: Tensor) -> Tensor:
    """Fits asymmetric generalised Gaussians to split maps, by moments.

    As NIQE's authors do, it takes the shape from a grid with steps of .001; the shape therefore has no gradient.

    Args:
        patches: (N, C, rows, side, columns, side), as `split` returns.

    Returns:
        (N, C, rows, columns, 2): shape, and the mean of the left and right scale.
    """
    shape, left, right, factor = asymmetric_parts(patches)
    return torch.stack([shape, (left + right) / 2 * factor], dim=-1)


def asymmetric_parts(patches: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns shape, left and right deviation, and scale / deviation, (N, C, rows, columns) each, of such fits."""
    left, right, spread = half_deviations(patches)
    with torch.no_grad():
        ratio = left / right
        spread = spread * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1).square()
        shapes, between, factors = (table.to(patches) for table in grid())
        nearest = torch.searchsorted(between, spread)
    return shapes[nearest], left, right, factors[nearest]


def half_deviations(patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns root mean squares of values below 0 and above 0, and E[|x|]^2 / E[x^2], which has no gradient."""
    found: tuple[Tensor, Tensor, Tensor] = _HalfDeviations.apply(patches)
    return found


def weibull(logs: Tensor) -> Tensor:
    """Fits Weibull distributions to split maps, by maximum likelihood.

    pyiqa's fit stops for the whole batch once the worst patch takes a step below .01.

    Args:
        logs: Logarithms of the values, (N, C, rows, side, columns, side), as `split` returns.

    Returns:
        (N, C, rows, columns, 2): scale and shape.
    """
    fitted: Tensor = _Weibull.apply(logs)
    return fitted


@cache
def grid() -> tuple[Tensor, Tensor, Tensor]:
    """Returns the grid of shapes, the midpoints of their moment ratios, and scale / deviation for each shape."""
    shapes = torch.arange(0.2, 10 + 0.001, 0.001).double()
    one, two, three = (torch.lgamma(order / shapes) for order in (1, 2, 3))
    ratios = (2 * two - one - three).exp()
    return shapes, (ratios[1:] + ratios[:-1]) / 2, ((one - three) / 2).exp()


class _HalfDeviations(torch.autograd.Function):
    """Root mean squares of the values below 0 and above 0, and E[|x|]^2 / E[x^2], which has no gradient."""

    @staticmethod
    def forward(context: Any, patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sums = [_sums(patches.clamp(max=0)), _sums(patches.clamp(min=0))]
        sizes, squares = (one + other for one, other in zip(sums[0][:2], sums[1][:2], strict=True))
        spread = sizes.square() / squares / (patches.shape[3] * patches.shape[5])
        left, right = ((square / count).sqrt() for _, square, count in sums)
        context.mark_non_differentiable(spread)
        context.save_for_backward(patches, left * sums[0][2], right * sums[1][2])
        return left, right, spread

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        patches, *divisors = context.saved_tensors
        below, above = (
            (gradient / divisor).nan_to_num(0, 0, 0)[:, :, :, None, :, None]
            for gradient, divisor in zip(gradients, divisors, strict=False)  # the third output has no gradient
        )
        slopes: Tensor = patches.clamp(max=0) * below
        return slopes.addcmul_(patches.clamp(min=0), above)


def _sums(half: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the sums of sizes and squares and the number of values of one sign; overwrites `half`."""
    squares = half.square().sum((3, 5))
    return half.sum((3, 5)).abs(), squares, half.sign_().sum((3, 5)).abs()


class _Weibull(torch.autograd.Function):
    """Finds the shape k by Newton's method; its gradient is that of the implicit function at the root.

    With weights w in proportion to x^k, the root has E_w[ln x] - E[ln x] = 1 / k, and the scale is E[x^k]^(1 / k).
    """

    @staticmethod
    def forward(context: Any, logs: Tensor) -> Tensor:
        context.patch = logs.shape[3], logs.shape[5]
        values = logs.transpose(3, 4).flatten(4)
        centre = values.mean(-1, keepdim=True)
        values = values - centre
        shape, total, mean, slope = _root(values)
        log_scale = total.log() / shape + centre
        context.save_for_backward(values, shape, total, mean, slope, log_scale - centre, log_scale.exp())
        return torch.cat([log_scale.exp(), shape], dim=-1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Any:
        values, shape, total, mean, slope, log_scale, scale = context.saved_tensors
        of_scale, of_shape = gradients[0][..., :1], gradients[0][..., 1:]
        by_scale = of_scale * scale
        by_root = -(of_shape + by_scale * (mean - log_scale) / shape) / slope
        weights = (shape * values - total.log()).exp_().div_(values.shape[-1])
        slopes = (by_root * shape * values).add_(by_scale + by_root * (1 - shape * mean)).mul_(weights)
        slopes.sub_(by_root / values.shape[-1]).nan_to_num_(0, 0, 0)
        return slopes.unflatten(-1, context.patch).transpose(3, 4)


def _root(values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns k, E[x^k], E_w[ln x] and the derivative of E_w[ln x] - 1 / k, from logarithms with mean 0.

    Newton's method runs on ln(k E_w[ln x]) as a function of ln k, because that is nearly a line.
    """
    shape = 1.2 / values.square().mean(-1, keepdim=True).sqrt()
    for _ in range(STEPS):
        powers = (shape * values).exp_()
        total = powers.mean(-1, keepdim=True)
        first = powers.mul_(values).mean(-1, keepdim=True) / total
        variance = powers.mul_(values).mean(-1, keepdim=True) / total - first.square()
        product = shape * first
        step = -product.log() / (1 + shape * shape * variance / product)
        change = shape * step.expm1()
        shape = shape + change
        if not (step.abs() > CONVERGED).any():
            break
    total = total * (change * (first + change * variance / 2)).exp()  # saves one more pass over the values
    return shape, total, first + change * variance, variance + shape**-2
