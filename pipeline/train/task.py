"""What a network may be trained to do: each task makes samples, says what is lost, and reports figures."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from metrics.base import Images
from pipeline.train.photographs import Photographs
from pipeline.train.recipes import Recipe
from pipeline.train.samples import Samples


class Task(Protocol):
    """One kind of training; each is a module of `tasks/`."""

    def samples(
        self, photographs: Photographs, recipe: Recipe, work: Path, on_progress: Callable[[int], None]
    ) -> tuple[Samples, Samples]:
        """Returns what is trained on and what is validated with.

        Args:
            photographs: Clear ones, some of them held out.
            recipe: How many, and of which size.
            work: A folder in which samples may be kept.
            on_progress: Is called with how many more samples are done.
        """

    def loss(self, network: nn.Module, images: Images, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Returns the number to lower, (), of a batch."""

    def figures(self, network: nn.Module, validation: Samples, batch: int) -> dict[str, float]:
        """Returns how well the network does, by the figures' names; it is in evaluation mode."""

    def origin(self) -> dict[str, object]:
        """Returns what labels were made from, for the file beside the weights."""


def find_task(recipe: Recipe) -> Task:
    """Returns the task of a recipe: its module, or what that makes of the recipe where it has settings of its own.

    The module is imported only now, since some need packages that take seconds.
    """
    module: Any = importlib.import_module(f"pipeline.train.tasks.{recipe.task}")
    task: Task = module.of(recipe) if hasattr(module, "of") else module
    return task
