"""The training loop: seeded, and continued from a checkpoint with the same result as without a stop."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from metrics.base import Images, NoReference
from pipeline.errors import DataError
from pipeline.files import digest, write_atomically
from pipeline.train.recipes import Recipe
from pipeline.train.samples import Samples

WARM_UP = 0.05  # share of the steps in which the rate rises
LARGEST_STEP = 1.0  # norm of all gradients together, beyond which they are scaled down


@dataclass(frozen=True)
class Epoch:
    """What was seen in one pass over the training samples."""

    loss: float  # mean of the batches
    srocc: float  # of the validation samples' scores and labels
    plcc: float


class Training:
    """One network in training.

    Args:
        network: Untrained; seeded by the caller.
        recipe: How to train it.
        samples: What to train on.
        validation: What to look at after each epoch.
    """

    def __init__(self, network: NoReference, recipe: Recipe, samples: Samples, validation: Samples) -> None:
        self.network, self.recipe, self.samples, self.validation = network, recipe, samples, validation
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        self.batches = max(len(samples.labels) // recipe.batch, 1)
        self.epochs: list[Epoch] = []

    def run(self, checkpoint: Path, advance: Callable[[Epoch], None]) -> None:
        """Trains to the end, from the checkpoint where there is one of the same training.

        Args:
            checkpoint: Written after each epoch.
            advance: Told of each epoch, also of those done before.

        Raises:
            DataError: If the loss is not finite.
        """
        self._restore(checkpoint)
        for epoch in self.epochs:
            advance(epoch)
        while len(self.epochs) < self.recipe.epochs:
            loss = self._pass(len(self.epochs))
            if not math.isfinite(loss):
                raise DataError(f"the loss must be finite; got {loss} in epoch {len(self.epochs) + 1}: lower the rate")
            self.epochs.append(Epoch(loss, *self.agreement()))
            self._keep(checkpoint)
            advance(self.epochs[-1])

    def _pass(self, epoch: int) -> float:
        """Trains on every sample once, in an order and turned in ways that the seed and the epoch fix."""
        generator = torch.Generator().manual_seed(1_000_003 * self.recipe.seed + epoch)
        order = torch.randperm(len(self.samples.labels), generator=generator)
        losses = []
        self.network.train()
        for number in range(self.batches):
            chosen = order[number * self.recipe.batch : (number + 1) * self.recipe.batch]
            images = turned(self._windows(self.samples.images[chosen].float() / 255, epoch, generator), generator)
            losses.append(self.step(images, self.samples.labels[chosen], epoch * self.batches + number))
        return sum(losses) / len(losses)

    def _windows(self, images: Images, epoch: int, generator: torch.Generator) -> Images:
        """Returns a part of each image at a place drawn for the batch: less to compute, and more to see over time."""
        if epoch >= self.recipe.epochs - self.recipe.closing:
            return images
        side = min(self.recipe.window, images.shape[2])
        top, left = torch.randint(images.shape[2] - side + 1, (2,), generator=generator).tolist()
        return images[..., top : top + side, left : left + side]

    def step(self, images: Images, labels: Tensor, number: int) -> float:
        """Moves the weights once.

        Args:
            images: (N, 3, H, W) in [0, 1].
            labels: (N,), 0 to 100.
            number: How many steps were made before: it fixes the rate.

        Returns:
            The loss before the step.
        """
        share = self.rate(number)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * share
        self.optimizer.zero_grad()
        loss = disagreement(self.network.unchecked(images), labels)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_STEP)
        self.optimizer.step()
        return loss.item()

    def rate(self, number: int) -> float:
        """Returns the share of the highest rate for a step: rises in a line, falls to 0 like a cosine."""
        done = (number + 1) / (self.recipe.epochs * self.batches)
        if done < WARM_UP:
            return done / WARM_UP
        return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))

    def agreement(self) -> tuple[float, float]:
        """Returns SROCC and PLCC of the validation samples' scores with their labels."""
        self.network.eval()
        with torch.no_grad():
            parts = torch.split(self.validation.images, self.recipe.batch)
            scores = torch.cat([self.network.unchecked(part.float() / 255) for part in parts])
        labels = self.validation.labels
        return float(spearmanr(scores, labels).statistic), float(pearsonr(scores, labels).statistic)

    def _key(self) -> str:
        """Returns a hash of all that the weights depend on."""
        facts = [repr(asdict(self.recipe)), repr(self.network), digest(Path(__file__).read_bytes())]
        tensors = [*self.samples, *self.validation]
        return digest("\n".join([*facts, *(digest(tensor.numpy().tobytes()) for tensor in tensors)]).encode())

    def _keep(self, checkpoint: Path) -> None:
        buffer = io.BytesIO()
        state = {
            "key": self._key(),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
        }
        torch.save(state, buffer)
        write_atomically(checkpoint, buffer.getvalue())

    def _restore(self, checkpoint: Path) -> None:
        try:
            state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
            return  # none, or damaged: from the start
        if state.get("key") != self._key():
            return  # of another training
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]


def disagreement(scores: Tensor, labels: Tensor) -> Tensor:
    """Returns the loss: how far scores are from labels, and how far from a straight line with them."""
    distance = smooth_l1_loss(scores / 100, labels / 100, beta=0.1)
    centred, wanted = scores - scores.mean(), labels - labels.mean()
    line = (centred * wanted).mean() / ((centred.square().mean() + 1).sqrt() * (wanted.square().mean() + 1).sqrt())
    return distance + 0.3 * (1 - line)


def turned(images: Images, generator: torch.Generator) -> Images:
    """Returns the batch mirrored, upside down and on its side, each or not: no label changes with that."""
    mirrored, flipped, on_side = (torch.rand(3, generator=generator) < 0.5).tolist()
    images = images.flip(3) if mirrored else images
    images = images.flip(2) if flipped else images
    images = images.transpose(2, 3) if on_side else images
    return images.contiguous(memory_format=torch.channels_last)  # in which convolutions are a quarter faster
