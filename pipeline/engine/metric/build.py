"""Builds metrics and defences from their entries; a contributor's mistake costs only its own cells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from metric_robustness.defences.base import Defence
from metric_robustness.metrics.base import Metric, Scores, VideoMetric
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.engine.batching import one_line
from metric_robustness.pipeline.engine.metric.search_copy.fold import noise_pair
from metric_robustness.pipeline.errors import BenchError, DataError


def build_defences(entry: Entry) -> dict[str, Defence]:
    """Returns a defence with its defaults under the empty name, and one per preset.

    Raises:
        DataError: If it does not load, its weights cannot be used, or a preset names no field.
    """
    with _named(entry):
        default: Defence = entry.load()()
        return {"": default} | {name: replace(default, **changes) for name, changes in default.presets.items()}


def lay_out(metric: Metric) -> None:
    """Lays the weights of convolutions out as the processor reads them fastest, if the metric's code works with that.

    The convolutions then also leave their results in this layout, channels last, and code that takes the layout of its
    tensors for granted (`view`, say) fails: such a metric keeps the usual one.
    """
    convolutions = [module for module in metric.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions or metric.batch_dependent:
        return
    usual = _sample_scores(metric)
    for module in convolutions:
        module.to(memory_format=torch.channels_last)
    last = _sample_scores(metric)
    if usual is None or last is None or not torch.allclose(usual, last, rtol=1e-3, atol=1e-5, equal_nan=True):
        for module in convolutions:
            module.to(memory_format=torch.contiguous_format)


def _sample_scores(metric: Metric) -> Scores | None:
    """Returns the scores of two noise images, or None if the metric fails on them."""
    try:
        with torch.no_grad(), torch.random.fork_rng([]):
            torch.manual_seed(0)  # one call of a random metric, the same in both layouts
            return metric.unchecked(*noise_pair(metric))
    except Exception:  # noqa: BLE001  # whatever a contributor's code raises: its cells will say so
        return None


def load_trained(metric: Metric, entry: Entry) -> None:
    """Gives a metric the weights that a robust training made.

    Raises:
        DataError: If they are missing, damaged or of another architecture.
    """
    weights = entry.fields["weights"][-1]
    try:
        metric.load_state_dict(load_file(entry.weights_file(weights)))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DataError(
            f"{entry.name} must be built from {weights}; got {one_line(error)}: "
            f"make them again with python -m pipeline train {entry.name}"
        ) from error


def build_metric(entry: Entry, device: torch.device) -> Metric:
    """Builds a metric, frozen: an attack needs no gradients of weights, and they are a third of the arithmetic.

    Raises:
        DataError: If it cannot be built; names it.
    """
    with _named(entry):
        metric: Metric = entry.load()()
        if entry.network.trained:
            load_trained(metric, entry.network)
        metric = metric.eval().requires_grad_(requires_grad=False).to(device)
        if device.type == "cpu" and not isinstance(metric, VideoMetric):  # whose rows keep their digits
            lay_out(metric)
        return metric


@contextmanager
def _named(entry: Entry) -> Iterator[None]:
    """Makes what a contributor's code raises, sys.exit too, an error that names its entry: it costs only its cells."""
    try:
        yield
    except (BenchError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise DataError(f"{entry.name} cannot be built: {one_line(error)}") from error
