"""What other packages offer of the formula metrics of `metrics/`, each as a function of images and references.

A peer is asked for the same images and, but for rounding, the same values; where the metric is one of the luma, a peer
without a conversion of its own gets the luma. pyiqa's networks are called as `metrics/pyiqa_adapter.py` calls them,
without the averaging and the switches of its own `forward`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.pyiqa_adapter import build
from metric_robustness.pipeline.catalogue.entry import weights_path

PeerScore: TypeAlias = Callable[[Images, Images], Scores]

WINDOW = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
NEEDS_LUMA = {"ssim", "ms_ssim"}
NO_REFERENCE = {"brisque", "niqe_official", "piqe", "entropy", "nrqm", "pi", "ilniqe"}
PACKAGES = {  # package: the metrics that it has, beside pyiqa, which has all of them
    "piq": ("psnr", "psnry", "ssim", "ssimc", "ms_ssim", "gmsd", "fsim", "vsi", "brisque"),
    "pytorch_msssim": ("ssim", "ssimc", "ms_ssim"),
    "torchmetrics": ("psnr", "ssim", "ssimc", "ms_ssim"),
    "skimage": ("psnr", "ssim", "ssimc"),
}
WITHOUT_GRADIENT = {"skimage"}


def peers(metric: str) -> dict[str, PeerScore | None]:
    """Returns the peers of a metric by their package; None for a package that is not installed."""
    found: dict[str, PeerScore | None] = {"pyiqa": _pyiqa(metric)}
    for package, metrics in PACKAGES.items():
        if metric in metrics:
            try:
                found[package] = OPENERS[package](metric)
            except ImportError:
                found[package] = None
    return found


def _pyiqa(metric: str) -> PeerScore:
    network = build(metric.removesuffix("_official"), {}, ())
    if metric in NO_REFERENCE:
        return lambda images, _: network(images).reshape(len(images))
    return lambda images, references: network(images, references).reshape(len(images))


def _piq(metric: str) -> PeerScore:
    piq = import_module("piq")
    if metric == "brisque":
        module = import_module("piq.brisque")
        weights = torch.load(weights_path("hub/pyiqa/brisque_svm_weights.pth"), weights_only=True)
        weights = [part.float() for part in weights]
        vars(module)["load_url"] = lambda *_, **__: [part.clone() for part in weights]  # read once; piq turns them
        return lambda images, _: piq.brisque(images, reduction="none").reshape(len(images))
    offered: dict[str, Any] = {
        "psnr": piq.psnr,
        "psnry": partial(piq.psnr, convert_to_greyscale=True),
        "ssim": partial(piq.ssim, downsample=False),
        "ssimc": partial(piq.ssim, downsample=False),
        "ms_ssim": piq.multi_scale_ssim,
        "gmsd": piq.gmsd,
        "fsim": piq.fsim,
        "vsi": piq.vsi,
    }
    return _of(metric, partial(offered[metric], data_range=1.0, reduction="none"))


def _pytorch_msssim(metric: str) -> PeerScore:
    package = import_module("pytorch_msssim")
    offered = package.ms_ssim if metric == "ms_ssim" else partial(package.ssim, nonnegative_ssim=True)
    return _of(metric, partial(offered, data_range=1.0, size_average=False))


def _torchmetrics(metric: str) -> PeerScore:
    package = import_module("torchmetrics.functional.image")
    offered: dict[str, Any] = {
        "psnr": partial(package.peak_signal_noise_ratio, dim=(1, 2, 3)),
        "ssim": package.structural_similarity_index_measure,
        "ssimc": package.structural_similarity_index_measure,
        "ms_ssim": package.multiscale_structural_similarity_index_measure,
    }
    return _of(metric, partial(offered[metric], data_range=1.0, reduction="none"))


def _skimage(metric: str) -> PeerScore:
    package = import_module("skimage.metrics")

    def psnr(image: Any, reference: Any) -> float:
        return float(package.peak_signal_noise_ratio(reference, image, data_range=1.0))

    def ssim(image: Any, reference: Any) -> float:
        maps = package.structural_similarity(image, reference, channel_axis=0, full=True, **WINDOW)[1]
        return float(maps[:, 5:-5, 5:-5].mean())

    score = psnr if metric == "psnr" else ssim

    def scores(images: Images, references: Images) -> Scores:
        pairs = zip(images.numpy(), references.numpy(), strict=True)
        return torch.from_numpy(np.array([score(*pair) for pair in pairs]))

    return _of(metric, scores)


def _of(metric: str, score: PeerScore) -> PeerScore:
    """Returns the function that takes images, of one that takes what the metric compares: images or their lumas."""
    if metric not in NEEDS_LUMA:
        return score
    return lambda images, references: score(_luma(images), _luma(references)).reshape(len(images))


def _luma(images: Images) -> Tensor:
    weighted = torch.einsum("nchw,c->nhw", images, images.new_tensor([0.299, 0.587, 0.114])).unsqueeze(1)
    return weighted + ((255 * weighted).round() / 255 - weighted).detach()


OPENERS: dict[str, Callable[[str], PeerScore]] = {
    "piq": _piq,
    "pytorch_msssim": _pytorch_msssim,
    "torchmetrics": _torchmetrics,
    "skimage": _skimage,
}
