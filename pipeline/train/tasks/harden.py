"""Hardening: an existing metric goes on learning with the loss of a robust training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from metric_robustness.defences.base import Defence, RobustTraining
from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.engine.attack.settings import overridden
from metric_robustness.pipeline.engine.metric.build import build_defences, build_metric
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.samples import Samples
from metric_robustness.pipeline.train.tasks import rate

SPREAD = 25.0  # about small_cnn's own deviation over crops, to which all qualities are scaled in training
MEASURED = 32  # images that a training measures the metric on before the first step


class Hardening:
    """The task of METRIC+TRAINING.

    Args:
        recipe: Names both, and the settings of the training that differ from its defaults.

    Raises:
        BenchError: If a setting does not exist.
        DataError: If the metric cannot be trained so.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.entry = find("metrics", recipe.network)
        self.training = training(self.entry, recipe.settings)
        self.unit = 1.0

    def samples(
        self, photographs: Photographs, recipe: Recipe, work: Path, on_progress: Callable[[int], None]
    ) -> tuple[Samples, Samples]:
        """Returns the samples that `rate` trains on, the same for every seed, with labels on the metric's scale.

        Labels get the mean and the standard deviation of the metric's own qualities of the samples, so that no training
        has to learn the metric's unit first.
        """
        found = rate.samples(photographs, replace(recipe, seed=0), work, on_progress)
        metric = begin(self.entry).eval()
        with torch.no_grad():
            parts = torch.split(found[0].images, recipe.batch)
            qualities = torch.cat([quality(metric, part.float() / 255) for part in parts])
        labels = found[0].labels
        slope = qualities.std() / labels.std().clamp(min=1e-3)
        training, validation = (
            part._replace(labels=qualities.mean() + slope * (part.labels - labels.mean())) for part in found
        )
        return training, validation

    def begin(self, network: nn.Module, samples: Samples) -> str:
        """Fits the training to the metric, and returns what was measured, for the user.

        The unit of qualities is chosen so that the labels, which have the spread of the metric's own, deviate by
        `SPREAD`: loss and strength then mean the same whatever the scale of the metric's output.
        """
        self.unit = SPREAD / max(samples.labels.std().item(), 1e-6)
        device = next(network.parameters()).device
        images = samples.images[:MEASURED].to(device).float() / 255
        self.training = self.training.fitted(self._rated(known(network).eval()), images)
        return ", ".join(f"{name} {value}" for name, value in asdict(self.training).items())

    def _rated(self, metric: Metric) -> Callable[[Images], Tensor]:
        return lambda shown: self.unit * quality(metric, shown)

    def loss(self, network: nn.Module, images: Images, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Returns the loss of the robust training; the metric is in evaluation mode, so that batch statistics stay."""
        rated = self._rated(known(network).eval())
        return self.training.loss(rated, images, self.unit * labels, rate.disagreement, generator)

    @staticmethod
    def figures(network: nn.Module, validation: Samples, batch: int) -> dict[str, float]:
        """Returns SROCC and PLCC of the validation samples' qualities with their labels."""
        metric = known(network)
        return rate.agreement(lambda images: quality(metric, images), validation, batch)

    def origin(self) -> dict[str, object]:
        """Returns the fingerprints of the labelling metrics, of the metric to begin with, and of the training."""
        begun = {entry.name: entry.fingerprint for entry in (self.entry.bare, self.entry.defence) if entry}
        return {**rate.origin(), "begun_with": begun, "settings": asdict(self.training)}


of = Hardening


def begin(entry: Entry) -> Metric:
    """Returns the metric that METRIC+TRAINING begins with, its weights free to move.

    Raises:
        DataError: If it cannot be trained: without weights, gradients, or not of single images.
    """
    bare = entry.bare
    if bare is None or not entry.trained:
        raise DataError(f"{entry.name} must be METRIC+TRAINING, such as small_cnn+gradient_norm: correct the name")
    metric = build_metric(bare, torch.device("cpu")).requires_grad_()
    why = {
        "it has no gradient": not metric.differentiable,
        "it needs references or clips": bare.kind != "NR",
        "it has no weights": not any(True for _ in metric.parameters()),
    }
    if reason := next((reason for reason, holds in why.items() if holds), ""):
        raise DataError(f"{bare.name} must be a differentiable metric of images with weights; {reason}: train another")
    return metric


def training(entry: Entry, settings: Mapping[str, str]) -> RobustTraining:
    """Returns the robust training of METRIC+TRAINING with some of its settings changed.

    Raises:
        BenchError: If a setting does not exist.
        DataError: If it is no robust training.
    """
    found: Defence | None = build_defences(entry.defence)[entry.preset] if entry.defence else None
    if not isinstance(found, RobustTraining):
        raise DataError(f"{entry.name} must be METRIC+TRAINING, such as small_cnn+gradient_norm: correct the name")
    return overridden(found, entry.name, Settings(overrides=settings))


def quality(metric: Metric, images: Images) -> Tensor:
    """Returns the (N,) scores in parts of the metric's range, 0 to 100, 100 being the best."""
    low, high = metric.score_range
    share = 100 * (metric.unchecked(images) - low) / (high - low)
    return share if metric.higher_is_better else 100 - share


def known(network: nn.Module) -> Metric:
    """Returns the network, typed as a metric."""
    if not isinstance(network, Metric):
        raise TypeError(f"a metric is hardened; got {type(network).__name__}")
    return network
