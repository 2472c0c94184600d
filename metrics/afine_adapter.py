"""Shared base of the terms of A-FINE: calls pyiqa's network with gradients, for whole batches and any size.

pyiqa's own forward switches gradients off, writes into its input, takes one image at a time and rejects sides that are
not multiples of 32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import normalize

from metric_robustness.metrics.base import Images
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.pyiqa_adapter import PyiqaMetric

PATCH = 32  # of CLIP's ViT-B/32; as in the authors' code, images are enlarged to multiples of it


class AfineInput(NamedTuple):
    """A batch as the network sees it: normalised pixels, and the features of CLIP's layers."""

    pixels: Images
    features: list[Tensor]


class Afine(PyiqaMetric):
    """The terms of A-FINE; each is lower for a better image."""

    higher_is_better = False
    smallest = 32
    trained_on = "DiffIQA, KADID-10k, PIPAL, TID2013"
    weights = ("clip/ViT-B-32.pt", "hub/pyiqa/afine.pth")

    def see(self, images: Images) -> AfineInput:
        """Returns (N, 3, H, W) images in [0, 1] as the network sees them."""
        pixels = normalize(finite_gradient(images), self.net.mean, self.net.std)
        sides = [-(-side // PATCH) * PATCH for side in pixels.shape[2:]]
        if sides != list(pixels.shape[2:]):
            pixels = interpolate(pixels, size=sides, mode="bicubic", align_corners=False)
        return AfineInput(pixels, self.net.clip_model.encode_image(pixels)[1])

    def naturalness(self, seen: AfineInput) -> Tensor:
        """Returns the (N, 1) naturalness terms, -2 to 2."""
        scale = self.net.net_scale_nr
        return _calibrated(self.net.net_qhead(*seen), scale.yita3, scale.yita4)

    def fidelity(self, seen: AfineInput, reference: AfineInput) -> Tensor:
        """Returns the (N, 1) fidelity terms, -2 to 2."""
        scale = self.net.net_scale_fr
        middle = scale.yita3.clamp(scale.yita3_lower, scale.yita3_upper)
        width = scale.yita4.clamp(scale.yita4_lower, scale.yita4_upper)
        raw = self.net.net_dhead(seen.pixels, reference.pixels, seen.features, reference.features)
        return _calibrated(raw, middle, width)

    def both(self, images: Images, references: Images) -> Tensor:
        """Returns the (N, 1) sums of fidelity and naturalness, weighted by how natural the reference is."""
        seen, reference = self.see(images), self.see(references)
        together: Tensor = self.net.adapter(
            self.naturalness(seen), self.naturalness(reference), self.fidelity(seen, reference)
        )
        return together


def _calibrated(raw: Tensor, middle: Tensor, width: Tensor) -> Tensor:
    """Returns pyiqa's logistic function for a batch; pyiqa computes it in two branches for one image."""
    return 4 * torch.sigmoid((raw - middle) / (width.abs() + 1e-10)) - 2
