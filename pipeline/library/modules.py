"""Metrics of the catalogue, and metrics behind a defence, as modules that one calls."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from metric_robustness.metrics.base import Metric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.engine.device import open_device
from metric_robustness.pipeline.engine.metric.build import build_metric
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.library.defended import DefendedModule
from metric_robustness.pipeline.library.given import called_entry, device_of
from metric_robustness.pipeline.weights.provision import missing, provide


def metric(name: str, device: str = "cpu") -> Metric | DefendedModule:
    """Returns a metric of the catalogue, frozen: a module of (N, 3, H, W) float32 images in [0, 1].

    A full-reference one takes their originals, too. It returns (N,) scores in the metric's unit, with gradients to the
    images. Its facts, such as `score_range` and `higher_is_better`, are attributes; `entry` holds all that the
    catalogue knows. Weights are fetched at first use.

    Args:
        name: Such as "niqe", "small_cnn" or "small_cnn+jpeg".
        device: cpu or cuda.

    Raises:
        ValueError: If there is none of that name, or its weights are not here and cannot be fetched.
    """
    entry = lookup.find("metrics", name)
    built = _built(entry, device)
    if entry.purified:
        return DefendedModule(entry, built, name.rpartition("+")[0])
    vars(built)["entry"] = entry
    return built


def defend(metric: str | nn.Module | Callable[..., Tensor], defence: str) -> DefendedModule:
    """Returns a metric with a defence before it: a module of images, called as the metric is.

    Args:
        metric: As `evaluate` takes it; of a module a frozen copy is run, on the device of its parameters.
        defence: DEFENCE or DEFENCE-PRESET, such as "jpeg".

    Raises:
        ValueError: If there is none of that name, or it cannot be built.
    """
    entry = lookup.behind(called_entry(metric), defence)
    return DefendedModule(entry, _built(entry, device_of(metric)), metric)


def _built(entry: Entry, device: str) -> Metric:
    if reason := entry.problem or missing(entry) or provide(entry):
        raise DataError(f"{entry.name}: {reason}")
    return build_metric(entry, open_device(device))
