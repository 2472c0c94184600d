"""Rating: a metric learns the labels of distorted photographs, or what people said of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from scipy.stats import pearsonr, rankdata, spearmanr
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.train.labels import LABEL_METRICS
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.samples import ALIKE, Samples, prepare, rated_crops, sample_plans


def samples(
    photographs: Photographs, recipe: Recipe, work: Path, on_progress: Callable[[int], None]
) -> tuple[Samples, Samples]:
    """Returns crops with their labels, for training and for validation: distorted ones, or of images that people rated.

    Raises:
        DataError: If people rated all images alike.
    """
    training, validation = (
        rated_crops(plan, photographs.opinions, on_progress)
        if photographs.opinions
        else prepare(plan, work, on_progress)
        for plan in sample_plans(photographs, recipe)
    )
    return (training if photographs.opinions else ranked(training)), validation


def ranked(samples: Samples) -> Samples:
    """Returns samples whose labels are ranks among those of the same content, the best being 100.

    How the labelling metrics rate one error depends on the content; people compare versions of one content.
    """
    labels = [
        torch.from_numpy(rankdata(part, "max")) * (100 / len(part)) for part in torch.split(samples.labels, ALIKE)
    ]
    return samples._replace(labels=torch.cat(labels).float())


def loss(network: nn.Module, images: Images, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Returns the disagreement of a metric's scores with the labels."""
    scores: Tensor = network.unchecked(images)  # type: ignore[operator]  # a metric's, which checks no values
    return disagreement(scores, labels)


def figures(network: nn.Module, validation: Samples, batch: int) -> dict[str, float]:
    """Returns SROCC and PLCC of the validation samples' scores with their labels."""
    return agreement(network, validation, batch)


def agreement(rate: Callable[[Images], Tensor], validation: Samples, batch: int) -> dict[str, float]:
    """Returns SROCC and PLCC of a rating of the validation samples with their labels."""
    parts = torch.split(validation.images, batch)
    scores = torch.cat([rate(part.float() / 255) for part in parts]).cpu()
    labels = validation.labels.cpu()
    return {
        "srocc": float(spearmanr(scores, labels).statistic),
        "plcc": float(pearsonr(scores, labels).statistic),
    }


def origin() -> dict[str, object]:
    """Returns the metrics that made the labels, each with its fingerprint."""
    return {"labels": {name: find("metrics", name).fingerprint for name in LABEL_METRICS}}


def disagreement(scores: Tensor, labels: Tensor) -> Tensor:
    """Returns the loss: how far scores are from labels, and how far from a straight line with them."""
    distance = smooth_l1_loss(scores / 100, labels / 100, beta=0.1)
    centred, wanted = scores - scores.mean(), labels - labels.mean()
    line = (centred * wanted).mean() / ((centred.square().mean() + 1).sqrt() * (wanted.square().mean() + 1).sqrt())
    return distance + 0.3 * (1 - line)
