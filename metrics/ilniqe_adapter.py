"""The maps from which IL-NIQE takes statistics, and the features of their patches."""

from __future__ import annotations

import math
from typing import Any

import torch
from pyiqa.archs.fsim_arch import _construct_filters
from pyiqa.matlab_utils import imresize
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from metric_robustness.metrics.base import Images
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.natural_scenes_adapter import normalise, structure_features
from metric_robustness.metrics.patch_fits_adapter import asymmetric, listed, split, weibull

RESIZED, SIDE = 524, 84  # side of the resized image and of a patch, in pixels
WHOLE = RESIZED // SIDE * SIDE  # side of the part that whole patches cover
RADIUS, SIGMA = 5, 1.66  # of the Gaussian derivatives
RUN = 28  # pixels per matrix product, which is several times as fast as a convolution in float64
SMOOTH = 0.9  # sigma of the Gaussian that smooths an image before it is halved
OPPONENT = ((0.3, 0.04, -0.35), (0.34, -0.6, 0.17), (0.06, 0.63, 0.27))  # of RGB: two colours, then the intensity
LARGEST = 10000  # features are clamped to it


class ScaleFeatures(nn.Module):
    """The features of patches at one scale; holds filters in the frequency domain for its one image size."""

    filters: Tensor  # (12, 2, 1, side, side / 2 + 1): log-Gabor filters, even and odd part
    windows: Tensor  # (2, 28, 38): a Gaussian and its derivative

    def __init__(self, scale: int, whole: int = WHOLE) -> None:
        super().__init__()
        self.side = whole // scale
        self.patch = SIDE // scale
        self.register_buffer("filters", _log_gabor(self.side, 2.4 / scale**0.87), persistent=False)
        self.register_buffer("windows", _windows(SIGMA / scale**0.28), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the (N, 36, 234) features of (N, 3, side, side) images in 0...255."""
        opponent = _mix(images, OPPONENT)
        structure = finite_gradient(normalise(opponent[:, 2:], 2, 5 / 6))
        opponent_slopes, opponent_sizes = self._derive(opponent)
        spectrum = torch.fft.rfft2(opponent[:, 2:])
        bands = []
        for even, odd in self.filters:
            band = torch.fft.irfft2(torch.cat([even * spectrum, odd * (-1j * spectrum)], dim=1), s=(self.side,) * 2)
            bands.append((self._asymmetric(band), *self._derive(band)))
        responses, slopes, sizes = zip(*bands, strict=True)
        parts = (
            structure_features(structure, self.patch),
            opponent_sizes,
            self._colours(images),
            opponent_slopes,
            *responses,
            *slopes,
            *sizes,
        )
        return torch.cat(parts, dim=2)

    def _asymmetric(self, maps: Tensor) -> Tensor:
        return listed(asymmetric(split(maps, self.patch)))

    def _colours(self, images: Tensor) -> Tensor:
        """Returns mean and variance of intensity and two colours, computed from logarithms."""
        logs = (images + 1e-5).log()
        logs = logs - logs.mean((2, 3), keepdim=True)
        one, two, six = (math.sqrt(number) for number in (3, 2, 6))
        colours = _mix(logs, ((1 / one, 1 / one, 1 / one), (1 / six, 1 / six, -2 / six), (1 / two, -1 / two, 0)))
        patches = split(colours, self.patch)
        return listed(torch.stack([patches.mean((3, 5)), patches.var((3, 5))], dim=-1))

    def _derive(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the features of the maps' derivatives along both axes, and of the gradients' magnitudes."""
        across, down = _Derivatives.apply(maps, self.windows)
        slopes = [asymmetric(split(derivative, self.patch)) for derivative in (across, down)]
        logs = (across.square() + down.square() + 1e-8).log() / 2
        return listed(torch.stack(slopes, dim=2).flatten(1, 2)), listed(weibull(split(logs, self.patch)))


def prepare(images: Images) -> Tensor:
    """Returns (N, 3, 504, 504) images in 0...255: rounded (with gradient 1), resized, cropped to whole patches."""
    levels = images * 255
    levels = (levels - levels.detach() + levels.detach().round()).double()
    resized: Tensor = imresize(levels, sizes=(RESIZED, RESIZED))
    return resized.clamp(0, 255)[..., :WHOLE, :WHOLE]


def halve(images: Tensor) -> Tensor:
    """Returns (N, C, H / 2, W / 2): every second pixel of the smoothed images."""
    offsets = torch.arange(6, dtype=images.dtype, device=images.device) - 2.5
    window = torch.softmax(-(offsets**2) / (2 * SMOOTH**2), dim=0).reshape(1, 1, 1, -1)
    alone = pad(images, (2, 3, 2, 3), mode="replicate").flatten(0, 1).unsqueeze(1)
    smooth = conv2d(conv2d(alone, window, stride=(1, 2)), window.transpose(2, 3), stride=(2, 1))
    return smooth.reshape(*images.shape[:2], *smooth.shape[2:])


def _mix(images: Tensor, weights: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("oc,nchw->nohw", torch.tensor(weights).to(images), images)


def _log_gabor(side: int, wavelength: float) -> Tensor:
    """Returns pyiqa's filters, scale by scale; pyiqa orients them for the transposed image."""
    settings = {"scales": 3, "orientations": 4, "sigma_f": 0.55, "mult": 1.31, "delta_theta": 1.1}
    empty = torch.zeros(1, 1, side, side, dtype=torch.double)
    filters = _construct_filters(empty, min_length=wavelength, use_lowpass_filter=False, **settings)
    filters = filters.reshape(4, 3, side, side).transpose(0, 1).flatten(0, 1).transpose(1, 2)
    turned = filters.flip(1, 2).roll((1, 1), (1, 2))
    parts = torch.stack([filters + turned, filters - turned], dim=1) / 2
    return parts[..., : side // 2 + 1].contiguous().unsqueeze(2)


def _windows(sigma: float) -> Tensor:
    offsets = torch.arange(RUN)[:, None] + RADIUS - torch.arange(RUN + 2 * RADIUS)
    bell = (-(offsets.double() ** 2) / (2 * sigma**2)).exp() * (offsets.abs() <= RADIUS)
    return torch.stack([bell, offsets * bell])


class _Derivatives(torch.autograd.Function):
    """Gaussian derivatives of (N, C, H, W) maps along rows and along columns, with zeros around the maps."""

    @staticmethod
    def forward(context: Any, maps: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
        context.save_for_backward(windows)
        bell, slope = windows
        return _across(_down(maps, bell), slope), _across(_down(maps, slope), bell)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        bell, slope = context.saved_tensors[0]  # the bell is symmetric, the slope antisymmetric
        across, down = gradients
        return -(_down(_across(across, slope), bell) + _down(_across(down, bell), slope)), None


def _down(maps: Tensor, window: Tensor) -> Tensor:
    runs = pad(maps, (0, 0, RADIUS, RADIUS)).unfold(2, RUN + 2 * RADIUS, RUN)
    return (window @ runs.transpose(3, 4)).reshape(maps.shape)


def _across(maps: Tensor, window: Tensor) -> Tensor:
    runs = pad(maps, (RADIUS, RADIUS)).flatten(0, 2).unfold(1, RUN + 2 * RADIUS, RUN)
    return (runs.transpose(0, 1) @ window.T).transpose(0, 1).reshape(maps.shape)
