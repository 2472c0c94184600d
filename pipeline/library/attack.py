"""One attack on a metric: tensors in, tensors out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell, is_targeted, is_universal
from metric_robustness.pipeline.cells.settings import FOUND, Settings
from metric_robustness.pipeline.engine.attack.batch import attack_batch, objective_of
from metric_robustness.pipeline.engine.attack.passes import Trial
from metric_robustness.pipeline.engine.attack.settings import require_usable
from metric_robustness.pipeline.engine.batching import BatchRule
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.surrogates import Surrogates
from metric_robustness.pipeline.errors import BenchError, DataError, suggestion
from metric_robustness.pipeline.library.given import Facts, called_entry, device_of
from metric_robustness.pipeline.library.images import GivenImages, tensors_from
from metric_robustness.pipeline.library.undisturbed import undisturbed
from metric_robustness.pipeline.weights.provision import missing, provide


def attack(
    metric: str | nn.Module | Callable[..., Tensor],
    images: GivenImages,
    name: str = "adam",
    *,
    higher_is_better: bool | None = None,
    score_range: tuple[float, float] | None = None,
    references: GivenImages | None = None,
    seed: int = 0,
    **settings: Any,
) -> Images:
    """Attacks images so that a metric calls them better.

    Args:
        metric: As `evaluate` takes it; of images.
        images: Images of one size, as `evaluate` takes them; tensors are rounded to 8 bits first.
        name: An attack of the catalogue.
        higher_is_better: Whether a higher score is a better image; True unless the metric declares it.
        score_range: The scores of ordinary images; None: what the metric declares, else one unit. It matters to attacks
            only that weigh the score against something else.
        references: The undistorted originals; None: a metric of two arguments compares with the images themselves.
        seed: Another number gives other random numbers.
        **settings: The attack's settings, such as `eps=4/255`, `steps=20` or `goal="worse"`.

    Returns:
        (N, 3, H, W) float32 on the 256 levels, within eps of the images, on their device.

    Raises:
        ValueError: If a name, an image or a setting cannot be used; in one line.
    """
    entry = called_entry(metric, Facts(higher_is_better, score_range), paired=references is not None)
    found = lookup.find("attacks", name)
    if reason := entry.problem or found.problem or missing(entry) or provide(entry):
        raise DataError(f"{entry.name} under {name}: {reason}")
    if entry.kind == "video" or is_universal(found) or is_targeted(found):
        raise BenchError(f"attack must be of single images; {name} on {entry.name} is not: use evaluate, or run")
    clear = tensors_from(images)
    originals = None if references is None else tensors_from(references)
    if entry.full_reference and originals is None:
        originals = clear
    if originals is not None and originals.shape != clear.shape:
        raise BenchError(f"references must have the images' shape, {tuple(clear.shape)}; got {tuple(originals.shape)}")
    runner = MetricRunner(entry, Path(), Compute(device_of(metric)))
    trial = Trial(name, _set(found, settings))
    size = BatchRule.of(entry, runner.device, None)(*clear.shape[-2:])
    attacked = []
    with undisturbed():
        for start in range(0, len(clear), size):
            part = slice(start, start + size)
            names = [f"{seed}:{index}" for index in range(len(clear))[part]]
            given = None if originals is None else originals[part].to(runner.device)
            attacked.append(_attacked(runner, trial, clear[part].to(runner.device), given, names).to(clear.device))
    return torch.cat(attacked)


def _set(entry: Entry, settings: dict[str, Any]) -> Any:
    """Returns an attack with some of its settings changed.

    Raises:
        BenchError: If it has no such setting.
    """
    default = entry.load()()
    known = {field.name: field for field in fields(default) if field.name not in FOUND}
    for name in settings:
        if name not in known:
            raise BenchError(f"{entry.name} has no setting {name!r}: {suggestion(name, known)}")
    require_usable(entry.name, default, settings)
    return replace(default, **settings)


def _attacked(
    runner: MetricRunner, trial: Trial, images: Images, references: Images | None, names: list[str]
) -> Images:
    """Attacks one batch as the engine does."""
    needed = Cell(runner.entry, lookup.find("attacks", trial.name), {}, Settings()).needed()
    full = {entry.name: runner.surrogate(entry).metric for entry in needed if entry.kind == "FR"}
    with torch.no_grad():
        scores = {entry.name: runner.surrogate(entry).metric(images) for entry in needed if entry.kind != "FR"}
    scorer = runner.defended(names) or runner.metric
    objective = objective_of(scorer, images, references, trial, Surrogates(scores, full), dtype=torch.float32)
    return attack_batch(images, names, objective, trial).images
