"""The training loop: seeded, and continued from a checkpoint with the same result as without a stop."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.engine.device import open_device
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest, read_sealed, write_sealed
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.samples import Samples
from metric_robustness.pipeline.train.task import find_task

LARGEST_STEP = 1.0  # gradients are scaled down to this norm of all of them


@dataclass(frozen=True)
class Epoch:
    """The loss and the figures after one pass over the training samples."""

    loss: float  # mean of the batches
    figures: dict[str, float]  # the task's measures of the validation samples, by name

    @property
    def summary(self) -> str:
        """Returns the figures in words."""
        return ", ".join(f"{name.replace('_', ' ').upper()} {value:.3f}" for name, value in self.figures.items())


class Training:
    """One network in training.

    Args:
        network: Untrained; seeded by the caller.
        recipe: How to train it.
        samples: What to train on.
        validation: What to measure after each epoch.
        device: cpu or cuda; samples stay in the computer's memory.

    Raises:
        BenchError: If the machine has no such device.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, samples: Samples, validation: Samples, device: str = "cpu"
    ) -> None:
        self.device = open_device(device)
        self.network, self.recipe, self.samples, self.validation = network.to(self.device), recipe, samples, validation
        self.averaged = averaging(network, recipe.average) if recipe.average else None
        self.task = find_task(recipe)
        begin = getattr(self.task, "begin", None)
        self.measured: str = begin(self.network, samples) if begin else ""  # of the network before it is trained
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        self.batches = max(len(samples.labels) // recipe.batch, 1)
        self.epochs: list[Epoch] = []
        self.best_weights: dict[str, Tensor] = {}  # of the best epoch, if the recipe names a figure to choose it by
        self.key = self._key()  # computed before the weights move, since it covers those that training begins with

    @property
    def weights(self) -> dict[str, Tensor]:
        """Returns the weights that the training ends with."""
        return self.best_weights or self.result.state_dict()

    @property
    def result(self) -> nn.Module:
        """Returns the network as it is now, with averaged weights if the recipe wants these."""
        return self.averaged.module if self.averaged else self.network

    def run(self, checkpoint: Path, on_epoch: Callable[[Epoch], None]) -> None:
        """Trains to the end, from the checkpoint where there is one of the same training.

        Args:
            checkpoint: Written after each epoch.
            on_epoch: Is called with each epoch, also with those of earlier calls.

        Raises:
            DataError: If the loss is not finite.
        """
        self._read_checkpoint(checkpoint)
        for epoch in self.epochs:
            on_epoch(epoch)
        while len(self.epochs) < self.recipe.epochs:
            loss = self._pass(len(self.epochs))
            if not math.isfinite(loss):
                raise DataError(f"the loss must be finite; got {loss} in epoch {len(self.epochs) + 1}: lower the rate")
            self.result.eval()
            with torch.no_grad():
                validation = Samples(*(part.to(self.device) for part in self.validation))
                figures = self.task.figures(self.result, validation, self.recipe.batch)
            self.epochs.append(Epoch(loss, figures))
            if self.recipe.best and figures[self.recipe.best] == max(self.course(self.recipe.best)):
                self.best_weights = {name: value.clone() for name, value in self.result.state_dict().items()}
            self._write_checkpoint(checkpoint)
            on_epoch(self.epochs[-1])

    def course(self, figure: str) -> list[float]:
        """Returns a figure of every epoch so far."""
        return [epoch.figures[figure] for epoch in self.epochs]

    def _pass(self, epoch: int) -> float:
        """Trains on every sample once; seed and epoch fix their order and how they are flipped."""
        generator = torch.Generator().manual_seed(1_000_003 * self.recipe.seed + epoch)
        order = torch.randperm(len(self.samples.labels), generator=generator)
        losses = []
        self.network.train()
        for number in range(self.batches):
            chosen = order[number * self.recipe.batch : (number + 1) * self.recipe.batch]
            shown, labels = self.samples.images[chosen], self.samples.labels[chosen]
            pictures = labels.ndim == shown.ndim  # labels that are images: they are cut and flipped alike
            shown = torch.cat([shown, labels], dim=1) if pictures else shown
            images = flipped_at_random(self._windows(shown.float() / 255, epoch, generator), generator)
            images, labels = torch.split(images, 3, dim=1) if pictures else (images, labels)
            losses.append(self.step(images, labels, epoch * self.batches + number, generator))
        return sum(losses) / len(losses)

    def _windows(self, images: Images, epoch: int, generator: torch.Generator) -> Images:
        """Cuts a window out of each image, at a random place per batch: cheaper steps, and new contents each epoch."""
        if epoch >= self.recipe.epochs - self.recipe.closing:
            return images
        side = min(self.recipe.window, images.shape[2])
        top, left = torch.randint(images.shape[2] - side + 1, (2,), generator=generator).tolist()
        return images[..., top : top + side, left : left + side]

    def step(self, images: Images, labels: Tensor, number: int, generator: torch.Generator) -> float:
        """Moves the weights once.

        Args:
            images: (N, 3, H, W) in [0, 1].
            labels: What the network should answer, as the task made them.
            number: How many steps were made before; the rate depends on it.
            generator: The task's source of random numbers.

        Returns:
            The loss before the step.
        """
        share = self.rate(number)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * share
        self.optimizer.zero_grad()
        loss = self.task.loss(self.network, images.to(self.device), labels.to(self.device), generator)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_STEP)
        self.optimizer.step()
        if self.averaged:
            self.averaged.update_parameters(self.network)
        return loss.item()

    def rate(self, number: int) -> float:
        """Returns the step's share of the highest rate, which rises linearly and falls like a cosine."""
        warm_up, last = self.recipe.warm_up, self.recipe.last_rate
        done = (number + 1) / (self.recipe.epochs * self.batches)
        if done < warm_up:
            return done / warm_up
        return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))

    def _key(self) -> str:
        """Returns a hash of all that the weights depend on."""
        code = [Path(__file__), *sorted(Path(__file__).with_name("tasks").glob("*.py"))]
        facts = [repr(asdict(self.recipe)), repr(self.network), *(digest(path.read_bytes()) for path in code)]
        facts.append(json.dumps(self.task.origin(), sort_keys=True))
        tensors = [*self.samples, *self.validation, *self.network.state_dict().values()]
        return digest("\n".join([*facts, *(digest(tensor.cpu().numpy().tobytes()) for tensor in tensors)]).encode())

    def _write_checkpoint(self, checkpoint: Path) -> None:
        buffer = io.BytesIO()
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else None,
            "optimizer": self.optimizer.state_dict(),
            "kept": self.best_weights,
            "epochs": [asdict(epoch) for epoch in self.epochs],
        }
        torch.save(state, buffer)
        write_sealed(checkpoint, buffer.getvalue(), f"training {self.key}")

    def _read_checkpoint(self, checkpoint: Path) -> None:
        content = read_sealed(checkpoint, f"training {self.key}")
        if content is None:
            return  # train from the start
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_weights = state["kept"]
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]


def averaging(network: nn.Module, share: float) -> AveragedModel:
    """Returns a copy of a network that holds the average of its weights over the steps.

    Args:
        network: The network in training.
        share: Weight of the average so far; the rest is that of the step's weights.
    """
    mean = get_ema_multi_avg_fn(share)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=mean, use_buffers=True)


def flipped_at_random(images: Images, generator: torch.Generator) -> Images:
    """Flips and transposes the batch at random: mirrored, upside down, on its side. No label depends on that."""
    mirrored, flipped, on_side = (torch.rand(3, generator=generator) < 0.5).tolist()
    images = images.flip(3) if mirrored else images
    images = images.flip(2) if flipped else images
    images = images.transpose(2, 3) if on_side else images
    return images.contiguous(memory_format=torch.channels_last)  # convolutions are a quarter faster in this layout
