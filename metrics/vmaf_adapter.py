"""VMAF v0.6.1: information fidelity at four scales, detail losses (ADM), motion, and the machine that rates these.

Li, Zhang, Ma, Ngan: Image quality assessment by separately evaluating detail losses and additive impairments,
IEEE Transactions on Multimedia 13(5), 2011. All features take (N, 1, H, W) lumas in 0...255.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from metric_robustness.metrics.base import Images, Scores, VideoMetric
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.weights_adapter import loading

NOISE = 2.0  # variance of the noise that the model of the eye adds
GAIN = 100.0  # largest factor by which enhanced details count; 1 in the NEG model
TINY = 1e-10  # variances below it count as 0
LOW = (0.482962913144690, 0.836516303737469, 0.224143868041857, -0.129409522550921)  # Daubechies' second wavelet
HIGH = (-0.129409522550921, -0.224143868041857, 0.836516303737469, -0.482962913144690)
VISIBLE = (  # contrast sensitivity by scale: of horizontal and vertical details, of diagonal ones
    (0.017382, 0.005891),
    (0.031985, 0.014299),
    (0.043373, 0.024397),
    (0.045673, 0.031313),
)
BORDER = 0.1  # share of each side that pooling ignores
LUMAS = {"BT.601": (65.481, 128.553, 24.966), "BT.709": (46.559, 156.629, 15.812)}  # 219 times the weights
HIGH_DEFINITION = 720  # lines; videos with at least so many are in BT.709
ARRAYS = ("slopes", "intercepts", "support_vectors", "alpha", "gamma", "rho", "slope", "intercept")


class SupportVectorMachine(nn.Module):
    """The support vector machine of VMAF v0.6.1 and of its NEG model."""

    slopes: Tensor
    intercepts: Tensor
    support_vectors: Tensor
    alpha: Tensor
    gamma: Tensor
    rho: Tensor
    slope: Tensor
    intercept: Tensor

    def __init__(self, weights: tuple[str, ...]) -> None:
        super().__init__()
        with loading("VMAF", weights), np.load(Path(torch.hub.get_dir()) / weights[0][4:]) as machine:
            for name in ARRAYS:
                self.register_buffer(name, torch.as_tensor(machine[name]).double(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the (N,) scores of the (N, 6) features: detail losses, motion, fidelity at four scales."""
        distances = (features * self.slopes + self.intercepts)[:, None] - self.support_vectors
        raw = torch.exp(-self.gamma * distances.square().sum(dim=2)) @ self.alpha - self.rho
        scores: Tensor = (raw - self.intercept) / self.slope
        return scores


class VmafOfClips(VideoMetric):
    """VMAF of clips: the mean of the frames' scores, each with the motion at that frame."""

    full_reference = True
    reference_context = 1
    gain: ClassVar[float] = GAIN

    def __init__(self) -> None:
        super().__init__()
        self.machine = SupportVectorMachine(self.weights)

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, 6) float64 features; motion is measured from the frame before and 0 for a clip's first."""
        if references is None:
            raise ValueError("VMAF must get references; got none: pass the original frames too")
        matrix = "BT.709" if frames.shape[2] >= HIGH_DEFINITION else "BT.601"
        images, originals = (luma(finite_gradient(side), matrix) for side in (frames, references))
        steps = motion(originals)[-len(frames) :]
        return rated_features(images, originals[-len(frames) :], steps, self.gain)

    def pool(self, features: Tensor) -> Scores:
        """Returns the mean of the frames' scores; a frame's motion is the lesser of those before and after it."""
        before = features[..., 1]
        nearer = torch.cat([torch.minimum(before[:, :-1], before[:, 1:]), before[:, -1:]], dim=1)
        features = torch.cat([features[..., :1], nearer[..., None], features[..., 2:]], dim=2)
        scores: Tensor = self.machine(features.flatten(0, 1)).reshape(features.shape[:2])
        return scores.mean(dim=1)


def luma(images: Images, matrix: str) -> Tensor:
    """Returns the (N, 1, H, W) float64 lumas of (N, 3, H, W) images in [0, 1]; limited range, 16 to 235."""
    weights = torch.tensor(LUMAS[matrix], dtype=torch.double, device=images.device)[:, None, None]
    return 16 + (images.double() * weights).sum(dim=1, keepdim=True)


def rated_features(images: Tensor, references: Tensor, steps: Tensor, gain: float = GAIN) -> Tensor:
    """Returns the (N, 6) features of lumas in the machine's order; `steps` is the (N,) motion."""
    losses = detail(images, references, gain)
    return torch.cat([torch.stack([losses, steps], dim=1), fidelity(images, references, gain)], dim=1)


def motion(references: Tensor) -> Tensor:
    """Returns the (N,) mean absolute differences of each blurred luma from the one before; 0 for the first."""
    offsets = torch.arange(-2, 3, dtype=references.dtype, device=references.device)
    blurred = _blurred(references, torch.softmax(-(offsets**2) / 2, dim=0))
    steps = blurred.diff(dim=0).abs().mean(dim=(1, 2, 3))
    return torch.cat([steps.new_zeros(1), steps])


def fidelity(images: Tensor, references: Tensor, most: float = GAIN) -> Tensor:
    """Returns the (N, 4) visual information fidelities, finest scale first; `most` limits the gain of a detail."""
    x, y = references - 128, images - 128
    found = []
    for scale in range(4):
        side = 2 ** (4 - scale) + 1
        offsets = torch.arange(side, dtype=x.dtype, device=x.device) - side // 2
        window = torch.softmax(-(offsets**2) / (2 * (side / 5) ** 2), dim=0)
        if scale:
            height, width = x.shape[2] // 2, x.shape[3] // 2
            x, y = (_blurred(z, window)[..., ::2, ::2][..., :height, :width] for z in (x, y))
        mean_x, mean_y, xx, yy, xy = (_blurred(z, window) for z in (x, y, x * x, y * y, x * y))
        found.append(_scale_fidelity((xx - mean_x**2).relu(), (yy - mean_y**2).relu(), xy - mean_x * mean_y, most))
    return torch.stack(found, dim=1)


def _scale_fidelity(xx: Tensor, yy: Tensor, xy: Tensor, most: float) -> Tensor:
    flat = (xx < TINY) | (yy < TINY)
    gain = torch.where(flat, 0.0, xy / (xx + TINY))
    rest = torch.where(xx < TINY, yy, yy - gain * xy)
    rest = torch.where(yy < TINY, 0.0, rest)
    rest = torch.where(gain < 0, yy, rest).clamp(min=TINY)
    gain = gain.clamp(0, most)
    kept = torch.log2(1 + gain**2 * torch.where(xx < TINY, 0.0, xx) / (rest + NOISE))
    kept = torch.where(xy < 0, 0.0, kept)
    kept = torch.where(xx < NOISE, 1 - yy * 4 / 255**2, kept)
    whole = torch.where(xx < NOISE, 1.0, torch.log2(1 + xx / NOISE))
    return kept.sum(dim=(1, 2, 3)) / whole.sum(dim=(1, 2, 3))


def _blurred(z: Tensor, window: Tensor) -> Tensor:
    reach = len(window) // 2
    padded = pad(z, (reach,) * 4, mode="reflect")
    return conv2d(conv2d(padded, window[None, None, :, None]), window[None, None, None, :])


def detail(images: Tensor, references: Tensor, most: float = GAIN) -> Tensor:
    """Returns the (N,) shares of the references' visible details in the images; `most` limits a detail's gain."""
    original, distorted = references, images
    kept: list[Tensor] = []
    there: list[Tensor] = []
    for weights in VISIBLE:
        original, *details = _transform(original)
        distorted, *found = _transform(distorted)
        restored = _restored(details, found, most)
        factors = (weights[0], weights[0], weights[1])
        masks = [_masking(w * (f - r)) for w, f, r in zip(factors, found, restored, strict=True)]
        threshold = torch.stack(masks).sum(dim=0)
        kept += [_pooled((w * r).abs().sub(threshold).relu()) for w, r in zip(factors, restored, strict=True)]
        there += [_pooled((w * d).abs()) for w, d in zip(factors, details, strict=True)]
    return torch.stack(kept).sum(dim=0) / torch.stack(there).sum(dim=0)


def _transform(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns the approximation and the horizontal, vertical and diagonal details, each at half the size."""
    low, high = (torch.tensor(taps, dtype=z.dtype, device=z.device)[None, None, :, None] for taps in (LOW, HIGH))
    rows = _mirrored(z)
    coarse, fine = conv2d(rows, low, stride=(2, 1)), conv2d(rows, high, stride=(2, 1))
    coarse, fine = (_mirrored(part.mT).mT for part in (coarse, fine))
    across = [taps.mT for taps in (low, high)]
    approximation, vertical = (conv2d(coarse, taps, stride=(1, 2)) for taps in across)
    horizontal, diagonal = (conv2d(fine, taps, stride=(1, 2)) for taps in across)
    return approximation, horizontal, vertical, diagonal


def _mirrored(z: Tensor) -> Tensor:
    """Adds a row above, mirrored about the first row, and one or two below, mirrored about the edge."""
    below = z.flip(2)[:, :, : 1 + z.shape[2] % 2]
    return torch.cat([z[:, :, 1:2], z, below], dim=2)


def _restored(details: list[Tensor], found: list[Tensor], most: float) -> list[Tensor]:
    """Returns the part of the details found that stems from the original details; the rest is impairment."""
    (oh, ov, _), (th, tv, _) = details, found
    dot = oh * th + ov * tv
    limit = math.cos(math.radians(1)) ** 2
    aligned = (dot >= 0) & (dot**2 >= limit * (oh**2 + ov**2) * (th**2 + tv**2))
    restored = []
    for o, t in zip(details, found, strict=True):
        r = (t / (o + 1e-30)).clamp(0, 1) * o
        enhanced = torch.where(r > 0, torch.minimum(most * r, t), torch.where(r < 0, torch.maximum(most * r, t), r))
        restored.append(torch.where(aligned, enhanced, r))
    return restored


def _masking(impairment: Tensor) -> Tensor:
    """Returns how much an impairment masks: the mean size around each place, which itself counts twice."""
    kernel = torch.full((1, 1, 3, 3), 1 / 30, dtype=impairment.dtype, device=impairment.device)
    kernel[..., 1, 1] = 1 / 15
    size = pad(pad(impairment.abs(), (1, 0, 1, 0), mode="reflect"), (0, 1, 0, 1), mode="replicate")
    return conv2d(size, kernel)


def _pooled(z: Tensor) -> Tensor:
    height, width = z.shape[2:]
    top, left = (max(math.floor(side * BORDER - 0.5), 0) for side in (height, width))
    inner = z[..., top : height - top, left : width - left]
    constant: float = (inner[0, 0].numel() / 32) ** (1 / 3)
    return inner.pow(3).sum(dim=(1, 2, 3)).add(1e-12).pow(1 / 3) + constant
