"""What robustness costs: a robust training at several strengths and seeds, measured on photographs held out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metric_robustness.attacks.base import Attack
from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.data.images import to_tensor
from metric_robustness.pipeline.engine.device import open_device
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import folder_lock, read_sealed, write_sealed
from metric_robustness.pipeline.train.loop import Epoch, Training
from metric_robustness.pipeline.train.photographs import Photographs, gather
from metric_robustness.pipeline.train.progress import Silent, TrainingListener
from metric_robustness.pipeline.train.recipes import find_recipe
from metric_robustness.pipeline.train.run import start
from metric_robustness.pipeline.train.samples import Samples
from metric_robustness.pipeline.train.task import find_task
from metric_robustness.pipeline.train.tasks.harden import quality

EPS = 4 / 255  # budget of the attack
DISTORTED = 64  # images whose gradients are measured
CROPS = 5  # attacked crops of each photograph held out
TOGETHER = 16  # images in a batch


@dataclass(frozen=True)
class TradeoffPoint:
    """A training at one strength, with one seed. Qualities are 0 to 100, whatever the metric's own unit."""

    training: str  # METRIC+TRAINING
    strength: float
    seed: int
    srocc: float  # of qualities with labels, on distorted crops held out
    plcc: float
    norm: float  # mean l1 norm of the quality's gradient to pixels in [0, 1], on the same crops
    gain: float  # mean rise of the quality by I-FGSM at 4/255, on clear crops held out
    spread: float  # standard deviation of the qualities of the distorted crops; a flat metric gains little, too


def trade_off(
    wanted: dict[str, list[str]],
    seeds: int,
    sources: list[str],
    work: Path,
    change: dict[str, Any] | None = None,
    *,
    device: str = "cpu",
    listener: TrainingListener | None = None,
) -> list[TradeoffPoint]:
    """Returns a point per training, strength and seed; takes points that the work folder already holds.

    Args:
        wanted: The strengths of each METRIC+TRAINING.
        seeds: How many seeds, from 0.
        sources: Folders, files or data sets of photographs.
        work: Where samples, checkpoints and points are kept.
        change: Fields of the recipe that differ.
        device: cpu or cuda.
        listener: Follows the trainings.

    Raises:
        BenchError: If a name, a setting or a source does not exist.
        DataError: If a metric cannot be trained, or there are too few photographs.
        TransientError: If another run uses the work folder.
    """
    recipes = [
        replace(find_recipe(name), seed=seed, settings={"strength": strength}, **(change or {}))
        for name, strengths in wanted.items()
        for strength in strengths
        for seed in range(seeds)
    ]
    for recipe in recipes:
        find_task(recipe)  # raises for a wrong setting now, not after minutes of training
    open_device(device)
    points = []
    listener = listener or Silent()
    with folder_lock(work / "tradeoff"):
        listener.say("reading the photographs")
        photographs = gather(sources, recipes[0].crop)
        made: dict[str, tuple[Samples, Samples]] = {}
        for recipe in recipes:
            if recipe.network not in made:
                listener.begin("making samples", recipe.samples + recipe.validation)
                made[recipe.network] = find_task(recipe).samples(photographs, recipe, work, listener.advance)
        listener.begin("training", sum(recipe.epochs + 1 for recipe in recipes))
        for recipe in recipes:
            training = Training(start(recipe), recipe, *made[recipe.network], device)
            points.append(_point(training, photographs, work / "tradeoff", listener))
            listener.say(_summary(points[-1]))
    return points


def parse(texts: Sequence[str]) -> dict[str, list[str]]:
    """Returns the strengths of each training, of texts NAME:STRENGTH,STRENGTH.

    Raises:
        BenchError: If a text is not of that form.
    """
    found = {}
    for text in texts:
        name, _, strengths = text.partition(":")
        found[name] = [strength for strength in strengths.split(",") if strength]
        if not found[name] or not find("metrics", name).trained:
            raise BenchError(
                f"a training must be METRIC+TRAINING:STRENGTHS, such as small_cnn+gradient_norm:0,1e-6; got {text!r}: "
                "add the strengths"
            )
    return found


def _point(training: Training, photographs: Photographs, folder: Path, listener: TrainingListener) -> TradeoffPoint:
    """Returns the point of one training, from its file where that is of the same training."""
    recipe = training.recipe
    name = f"{recipe.network}-{recipe.settings['strength']}-{recipe.seed}"
    if known := read_sealed(folder / f"{name}.point", f"point {training.key}"):
        listener.advance(recipe.epochs + 1)
        return TradeoffPoint(**json.loads(known))

    def on_epoch(_: Epoch) -> None:
        listener.advance()

    training.run(folder / f"{name}.pt", on_epoch)
    metric = training.network.eval().requires_grad_(requires_grad=False)
    figures = training.epochs[-1].figures
    crops = clear_crops(photographs, recipe.crop)
    measured = examine(metric, training.validation, crops, training.device)  # type: ignore[arg-type]  # a metric
    point = TradeoffPoint(
        recipe.network,
        float(recipe.settings["strength"]),
        recipe.seed,
        srocc=figures["srocc"],
        plcc=figures["plcc"],
        **measured,
    )
    write_sealed(folder / f"{name}.point", json.dumps(asdict(point)).encode(), f"point {training.key}")
    listener.advance()
    return point


def examine(metric: Metric, distorted: Samples, clear: Images, device: torch.device | None = None) -> dict[str, float]:
    """Returns norm, gain and spread of a metric, as a `TradeoffPoint` has them.

    Args:
        metric: Frozen.
        distorted: Crops held out; gradients are measured on the first of them.
        clear: (N, 3, H, W) crops held out, which are attacked.
        device: Where the metric is, if not on the CPU.
    """
    attack: Attack = replace(find("attacks", "ifgsm").load()(), eps=EPS)
    norms, gains = [], []
    for part in torch.split(distorted.images[:DISTORTED], TOGETHER):
        images = (part.to(device).float() / 255).requires_grad_()
        (gradient,) = torch.autograd.grad(quality(metric, images).sum(), images)
        norms.append(gradient.abs().sum(dim=(1, 2, 3)))
    for part in torch.split(clear.to(device), TOGETHER):
        names = [str(number) for number in range(len(part))]
        attacked = attack.rounded(attack(part, MetricObjective(metric), ImageNoise("ifgsm", names)), part)
        with torch.no_grad():
            gains.append(quality(metric, attacked) - quality(metric, part))
    with torch.no_grad():
        parts = torch.split(distorted.images, TOGETHER)
        spread = torch.cat([quality(metric, part.to(device).float() / 255) for part in parts]).std()
    return {
        "norm": torch.cat(norms).mean().item(),
        "gain": torch.cat(gains).mean().item(),
        "spread": spread.item(),
    }


def clear_crops(photographs: Photographs, side: int) -> Images:
    """Returns crops of the photographs held out, at places spread over each."""
    crops = []
    for _, pixels in sorted(photographs.validation.items()):
        for number in range(CROPS):
            top = (pixels.shape[0] - side) * number // (CROPS - 1)
            left = (pixels.shape[1] - side) * (2 * number % CROPS) // (CROPS - 1)
            crops.append(np.ascontiguousarray(pixels[top : top + side, left : left + side]))
    return to_tensor(crops)


def _summary(point: TradeoffPoint) -> str:
    return (
        f"{point.training} at {point.strength:g}, seed {point.seed}: SROCC {point.srocc:.3f}, "
        f"norm {point.norm:.0f}, gain {point.gain:.1f} of 100"
    )
