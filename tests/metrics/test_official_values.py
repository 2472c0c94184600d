"""Scores compared with those of the authors' own programs, on five pairs of images that pyiqa publishes for this."""

from __future__ import annotations

import csv
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from float64 import float64
from PIL import Image
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.nn.functional import avg_pool2d

from metric_robustness.metrics.base import FullReference, Metric
from metric_robustness.metrics.pixels_adapter import luma
from metric_robustness.metrics.pyiqa_adapter import build
from metric_robustness.pipeline.catalogue.lookup import find

IMAGES = ("I03.bmp", "I04.bmp", "I06.bmp", "I08.bmp", "I19.bmp")
OFFICIAL = {  # name: the largest gap allowed, which is pyiqa's own: MATLAB resizes and rounds differently
    "psnr": 0.005,  # two decimals are published
    "ssim": 5e-4,
    "ms_ssim": 5e-3,
    "cw_ssim": 6e-5,  # four decimals are published
    "gmsd": 1e-5,
    "fsim": 1.5e-4,
    "vif": 6e-5,  # four decimals are published
    "nlpd": 6e-3,
    "vsi": 0.013,
    "brisque": 0.12,
    "niqe_official": 0.11,
    "ilniqe": 2.2,  # of 113; pyiqa's own gap there is 2.13
    "piqe": 0.01,
    "entropy": 1.1e-4,  # four decimals are published
}
SLOW = {"mad": ("I06.bmp", 1e-3)}  # over 10 s for a score, so one image only
# In flat areas rounding decides whether a pixel is above or below its surroundings. pyiqa's gaps: 5.4 and 0.44.
FLAT_AREAS = {"brisque": 8.4, "niqe_official": 0.45}  # on I19


def read(path: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None] / 255


def load(name: str) -> Metric:
    metric: Metric = find("metrics", name).load()()
    return metric.eval().requires_grad_(False)


def score(metric: Metric, folder: Path, image: str) -> float:
    return metric(read(folder / "dist_dir" / image), read(folder / "ref_dir" / image)).item()


def table(path: Path) -> dict[str, list[float]]:
    with path.open(newline="") as file:
        return {row["Method"]: [float(row[image]) for image in IMAGES] for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", OFFICIAL)
def test_matches_the_authors(name: str, shared_data: Path) -> None:
    folder, key = shared_data / "images" / "pyiqa_calib", name.removesuffix("_official")
    metric, official = load(name), table(folder / "results_official.csv")[key]
    gaps = [abs(score(metric, folder, image) - value) for image, value in zip(IMAGES, official, strict=True)]
    assert max(gaps[:-1]) < OFFICIAL[name]
    assert gaps[-1] < FLAT_AREAS.get(name, OFFICIAL[name])


@pytest.mark.parametrize("name", SLOW)
def test_slow_one_matches_the_authors(name: str, shared_data: Path) -> None:
    folder, (image, tolerance) = shared_data / "images" / "pyiqa_calib", SLOW[name]
    official = table(folder / "results_official.csv")[name][IMAGES.index(image)]
    with torch.no_grad():
        assert score(load(name), folder, image) == pytest.approx(official, abs=tolerance)


@pytest.mark.parametrize("name", ["cw_ssim", "fsim", "gmsd", "nlpd", "piqe", "psnr", "vsi"])
def test_matches_what_pyiqa_publishes(name: str, shared_data: Path) -> None:
    folder = shared_data / "images" / "pyiqa_calib"
    metric, published = load(name), table(folder / "calibration_summary.csv")[f"{name}(ours)"]
    scores = [score(metric, folder, image) for image in IMAGES]
    np.testing.assert_allclose(scores, published, rtol=2e-5, atol=6e-5)  # four decimals are published


AS_PYIQA = ["psnr", "psnry", "ssim", "ssimc", "ms_ssim", "cw_ssim", "gmsd", "fsim", "vsi", "vif", "nlpd"]


IN_FLOAT64 = {"vif"}  # pyiqa inverts nearly singular matrices: in float32 it is off by up to 4e-4, by processor


@pytest.mark.parametrize("name", [*AS_PYIQA, "brisque", "niqe_official"])
def test_faster_than_pyiqa_but_equal(name: str, shared_data: Path) -> None:
    folder, metric = shared_data / "images" / "pyiqa_calib", load(name)
    pairs = [[read(folder / kind / image) for kind in ("dist_dir", "ref_dir")] for image in IMAGES]
    pairs = [pair[: 2 if isinstance(metric, FullReference) else 1] for pair in pairs]
    scores = [metric(*pair).item() for pair in pairs]
    if name in {"brisque", *IN_FLOAT64}:  # in float32 BRISQUE's rounding decides between neighbouring shapes
        pairs = [[images.double() for images in pair] for pair in pairs]
    with float64() if name in IN_FLOAT64 else nullcontext():
        theirs = build(name.removesuffix("_official"), {"K": 0.001} if name == "cw_ssim" else {}, ())
        if name in IN_FLOAT64:
            theirs = theirs.double()
        wanted = [theirs(*pair).item() for pair in pairs]
    assert scores == pytest.approx(wanted, rel=1e-6, abs=1e-5 if name in IN_FLOAT64 else 2e-6)


def test_ssim_of_the_channels_matches_scikit_image(shared_data: Path) -> None:
    folder, metric = shared_data / "images" / "pyiqa_calib", load("ssimc")
    for image in IMAGES:
        pair = [read(folder / kind / image) for kind in ("dist_dir", "ref_dir")]
        whole = [(255 * pixels[0]).round().permute(1, 2, 0).double().numpy() for pixels in pair]
        window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        maps = structural_similarity(*whole, channel_axis=2, data_range=255, full=True, **window)[1]
        assert metric(*pair).item() == pytest.approx(maps[5:-5, 5:-5].mean(), abs=2e-3)  # pyiqa cuts structures at 0


def test_psnr_of_the_luma_is_its_formula(shared_data: Path) -> None:
    folder, metric = shared_data / "images" / "pyiqa_calib", load("psnry")
    weights = torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)
    for image in IMAGES:
        pair = [read(folder / kind / image) for kind in ("dist_dir", "ref_dir")]
        error = (weights * (pair[0] - pair[1])).sum(1).square().mean()
        assert metric(*pair).item() == pytest.approx(-10 * (error + 1e-8).log10().item(), abs=1e-3)


@pytest.mark.parametrize("threads", [1, 2])
def test_luma_is_the_sum_of_rounded_products_on_any_number_of_threads(threads: int) -> None:
    images, before = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)), torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = luma(images)
    finally:
        torch.set_num_threads(before)
    red, green, blue = (images * torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).split(1, dim=1)
    assert torch.equal(found, red + green + blue)


@pytest.mark.usefixtures("shared_data")
def test_lpips_matches_torchmetrics() -> None:
    torch.manual_seed(42)  # the example of torchmetrics: images in [-1, 1], which pyiqa makes of ours
    images, references = torch.rand(10, 3, 100, 100), torch.rand(10, 3, 100, 100)
    assert load("lpips_squeeze")(images, references).mean().item() == pytest.approx(0.1005, abs=5e-5)


def test_our_niqe_is_close_to_the_authors(shared_data: Path) -> None:
    # The bounds are those seen on these 16 images, 0.48 and .84, with a margin; see fit_niqe.py for larger sets.
    photographs = sorted((shared_data / "images" / "cbsd68").glob("*.png"))[:4]
    ladder = [
        [image, _noisy(image), avg_pool2d(image, 3, 1, 1), avg_pool2d(image, 7, 1, 3)]
        for image in map(read, photographs)
    ]
    ours, official = (
        np.array([[metric(image).item() for image in images] for images in ladder])
        for metric in (load("niqe"), load("niqe_official"))
    )
    assert spearmanr(ours.ravel(), official.ravel()).statistic > 0.8
    assert np.abs(ours - official)[:, 0].mean() < 0.6


def _noisy(image: Tensor) -> Tensor:
    return (image + 0.1 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
