"""What a network may be trained to do: a task makes samples, has a loss to lower, and measures figures."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.samples import Samples


class TrainingTask(Protocol):
    """One kind of training; each is a module of `tasks/`."""

    def samples(
        self, photographs: Photographs, recipe: Recipe, work: Path, on_progress: Callable[[int], None]
    ) -> tuple[Samples, Samples]:
        """Returns the samples for training and for validation.

        Args:
            photographs: Clear ones, some of them held out.
            recipe: The number and the size of samples.
            work: A folder in which samples may be kept.
            on_progress: Is called with how many more samples are done.
        """

    def loss(self, network: nn.Module, images: Images, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Returns the loss of a batch, a scalar of shape ()."""

    def figures(self, network: nn.Module, validation: Samples, batch: int) -> dict[str, float]:
        """Returns measures of the network, which is in evaluation mode, by their names."""

    # A task may also have `begin(network, samples) -> str`, which is called before the first step, measures the network
    # and returns a line for the user.

    def origin(self) -> dict[str, object]:
        """Returns how labels were made, for the file beside the weights."""


def find_task(recipe: Recipe) -> TrainingTask:
    """Returns the task of a recipe: its module, or the object that the module's `of` makes of the recipe.

    The module is imported only when it is needed, since some import packages that take seconds.
    """
    module: Any = importlib.import_module(f"metric_robustness.pipeline.train.tasks.{recipe.task}")
    task: TrainingTask = module.of(recipe) if hasattr(module, "of") else module
    return task
