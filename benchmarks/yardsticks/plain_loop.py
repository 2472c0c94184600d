"""The lower yardstick: the attack written straight from the methodology, one image after another."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from metric_robustness.attacks.ifgsm import IFGSM
from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.data.dataset import Dataset


def plain_loop(metric: Metric, dataset: Dataset, attack: IFGSM, out: Path) -> list[float]:
    """Attacks a data set and writes a CSV, with batches of one image, trainable weights and measures by scikit-image.

    Args:
        metric: As its author's code builds it, in evaluation mode.
        dataset: The photographs.
        attack: The attack whose settings to use.
        out: The folder for the CSV.

    Returns:
        The attacked scores, in the order of the data set.
    """
    rows = [_row(metric, photo.name, photo.path, attack) for photo in dataset.photos]
    with (out / "plain.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return [float(row["attacked"]) for row in rows]


def _row(metric: Metric, name: str, path: Path, attack: IFGSM) -> dict[str, str | float]:
    pixels = np.asarray(Image.open(path).convert("RGB"))
    image = torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float().div(255).unsqueeze(0)
    with torch.no_grad():
        clear = metric(image).item()
    found = (_ifgsm(metric, image, attack) * 255).round() / 255
    with torch.no_grad():
        attacked = metric(found).item()
    first, second = pixels / 255, found[0].permute(1, 2, 0).double().numpy()
    return {
        "image": name,
        "clear": clear,
        "attacked": attacked,
        "psnr": peak_signal_noise_ratio(first, second, data_range=1),  # type: ignore[no-untyped-call]
        "ssim": structural_similarity(first, second, channel_axis=2, data_range=1),  # type: ignore[no-untyped-call]
        "mse": mean_squared_error(first, second),
        "linf": np.abs(first - second).max(),
    }


def _ifgsm(metric: Metric, image: Images, attack: IFGSM) -> Images:
    low, high = metric.score_range
    sign = 1 if metric.higher_is_better else -1
    found = image.clone()
    for _ in range(attack.steps):
        found.requires_grad_()
        loss = 1 - sign * metric(found) / (high - low)
        loss.sum().backward()
        if found.grad is None:
            raise RuntimeError("the metric gave no gradient: measure a differentiable one")
        found = found.detach() - attack.step * found.grad.sign()
        found = (image + (found - image).clamp(-attack.eps, attack.eps)).clamp(0, 1)
    return found
