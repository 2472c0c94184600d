"""A training from photographs to committed weights."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save
from torch import nn

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue.lookup import find, find_anywhere
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest, folder_lock, write_atomically
from metric_robustness.pipeline.train.loop import Epoch, Training
from metric_robustness.pipeline.train.photographs import Photographs, gather, with_attacked
from metric_robustness.pipeline.train.progress import Silent, TrainingListener
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.task import find_task

RATED = {"rate", "harden"}  # the tasks that can learn from people's ratings


class Trainable(Protocol):
    """The class of a metric or a defence that can be built without weights."""

    @classmethod
    def untrained(cls) -> nn.Module:
        """Returns the network as training begins with it."""


def train_network(
    recipe: Recipe,
    sources: list[str],
    out_file: Path,
    work: Path,
    attacked: list[Path] | None = None,
    *,
    device: str = "cpu",
    listener: TrainingListener | None = None,
) -> Epoch:
    """Trains a network and writes its weights, and beside them how they were made.

    Args:
        recipe: What to train, and how.
        sources: Folders, files or data sets of photographs, or rated images as iqa:CSV.
        out_file: Where the weights go; the description has the same name and ends in .json.
        work: Samples and checkpoints are kept there, so that the same call continues after a stop.
        attacked: Folders of attacked photographs, for the task that restores them.
        device: cpu or cuda.
        listener: Follows the training.

    Returns:
        The loss and the figures of the last epoch.

    Raises:
        BenchError: If a source or the device does not exist, or a folder cannot be written to.
        TransientError: If another training uses the work folder.
        DataError: If there are too few photographs, or the network cannot be trained, or not on these.
    """
    started = time.monotonic()
    own, listener = work / recipe.network, listener or Silent()
    with folder_lock(own):
        listener.say("reading the photographs")
        photographs = gather(sources, recipe.crop)
        for name, reason in photographs.excluded.items():
            listener.say(f"excluded: {name}: {reason}")
        if photographs.opinions and recipe.task not in RATED:
            raise DataError(f"{recipe.network} must be trained on clear photographs; got rated images: name a folder")
        if attacked:
            photographs = with_attacked(photographs, attacked)
        listener.begin("making samples", recipe.samples + recipe.validation)
        samples, validation = find_task(recipe).samples(photographs, recipe, work, listener.advance)
        training = Training(start(recipe), recipe, samples, validation, device)
        if training.measured:
            listener.say(f"settings, and what was measured before the first step: {training.measured}")
        listener.begin(f"training {recipe.network}", recipe.epochs)

        def on_epoch(epoch: Epoch) -> None:
            listener.say(f"loss {epoch.loss:.4f}, on photographs held out: {epoch.summary}")
            listener.advance()

        training.run(own / "checkpoint.pt", on_epoch)
    state = {name: value.contiguous().cpu() for name, value in training.weights.items()}
    weights = save(state)
    write_atomically(out_file, weights)
    made = _description(training, photographs) | {
        "sha256": digest(weights),
        "seconds": round(time.monotonic() - started),
    }
    write_atomically(out_file.with_suffix(".json"), json.dumps(made, indent=1) + "\n")
    return training.epochs[-1]


def start(recipe: Recipe) -> nn.Module:
    """Returns the untrained network of a recipe, its weights drawn by the recipe's seed; of METRIC+TRAINING the metric.

    Raises:
        DataError: If the catalogue has no such entry, or it cannot be built without weights.
    """
    if recipe.task == "harden":
        from metric_robustness.pipeline.train.tasks.harden import begin  # noqa: PLC0415  # no other task builds metrics

        return begin(find("metrics", recipe.network)).to(memory_format=torch.channels_last)
    kind: type[Trainable] = find_anywhere(recipe.network).load()
    if not hasattr(kind, "untrained"):
        raise DataError(f"{recipe.network} must have the class method `untrained`: see metrics/trained_adapter.py")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return kind.untrained().to(memory_format=torch.channels_last)


def _description(training: Training, photographs: Photographs) -> dict[str, object]:
    """Returns how the weights were made, for the file beside them."""
    return {
        "recipe": asdict(training.recipe),
        "parameters": sum(value.numel() for value in training.network.parameters()),
        "trained_on": sorted(photographs.training),
        "held_out": sorted(photographs.validation),
        "left_out": dict(sorted(photographs.excluded.items())),
        "photographs": photographs.digest,
        **({"attacked": photographs.attacks} if photographs.attacks else {}),
        **training.task.origin(),
        **({"labels": "mean opinion scores"} if photographs.opinions else {}),
        "epochs": [
            {name: round(value, 5) for name, value in {"loss": epoch.loss, **epoch.figures}.items()}
            for epoch in training.epochs
        ],
        "threads": torch.get_num_threads(),
        "device": training.device.type,
        "versions": places.versions(),
        "commit": places.commit(),
    }
