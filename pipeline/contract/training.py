"""The contract of a defence that trains the metric."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from metric_robustness.defences.base import Images, RobustTraining
from metric_robustness.pipeline.contract.base import (
    QUIET,
    Checks,
    photographs,
    promises,
    require,
    require_quiet,
)

STEPS = 12


class Student(nn.Module):
    """A metric that is small and can learn: four filters, their mean strength over the image, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.filters, self.line = nn.Conv2d(3, 4, 3), nn.Linear(4, 1)

    def forward(self, images: Images) -> Tensor:
        """Returns (N,) qualities around 50."""
        strength: Tensor = nn.functional.softplus(self.filters(images)).mean(dim=(2, 3))
        rated: Tensor = self.line(strength)
        return 50 + 50 * rated.squeeze(1)


class TrainingCheck(Checks):
    """The checks of one robust training with one set of settings, on a small metric and photographs."""

    def __init__(self, training: RobustTraining, device: torch.device) -> None:
        super().__init__()
        self.training, self.device = training, device
        self.images = photographs(64, 80).to(device)
        self.labels = torch.tensor([20.0, 50.0, 80.0], device=device)

    def student(self) -> Student:
        """Returns the metric before its training, always with the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Student().to(self.device)

    def loss(self, student: Student, images: Images) -> Tensor:
        """Returns the loss of the three photographs."""
        generator = torch.Generator().manual_seed(0)
        return self.training.loss(student, images, self.labels, _error, generator)

    @promises("return a loss with a gradient to every weight")
    def teaches(self) -> str:
        """Checks that the loss is one finite number, with a finite gradient to every weight."""
        student = self.student()
        loss = self.loss(student, self.images)
        require(loss.shape == (), f"got shape {tuple(loss.shape)}: return one number")
        require(bool(loss.isfinite()), f"got {loss.item()}: keep it finite")
        require(loss.requires_grad, "no gradient reaches the weights: detach nothing that they made")
        slopes = torch.autograd.grad(loss, list(student.parameters()), allow_unused=True)
        reached = [slope is not None and bool(slope.isfinite().all()) for slope in slopes]
        require(all(reached), "some weights have no finite gradient: detach nothing that they made")
        return f"loss {loss.item():.4g}"

    @promises(QUIET, teaches)
    def quiet(self) -> str:
        """Checks that the loss changes nothing that other entries share."""
        return require_quiet(self.watch, "as it trains,", lambda: self.loss(self.student(), self.images))

    @promises("leave its input untouched", teaches, quiet)
    def untouched(self) -> str:
        """Checks that the images stay as they were."""
        given = self.images.clone()
        self.loss(self.student(), given)
        same = torch.equal(given, self.images) and not given.requires_grad
        require(same, "it changes the images it was given: work on a copy")
        return "unchanged"

    @promises("be deterministic, given its generator", teaches, quiet, untouched)
    def repeats(self) -> str:
        """Checks that an equal generator gives equal bits."""
        first, second = (self.loss(self.student(), self.images) for _ in range(2))
        require(torch.equal(first, second), "losses differ: draw from `generator`, and only there")
        return "equal bits"

    @promises("return what falls as a metric learns", teaches, quiet, untouched)
    def improves(self) -> str:
        """Checks that the loss falls within some steps."""
        student = self.student()
        optimizer = torch.optim.Adam(student.parameters(), lr=0.02)
        losses = []
        for _ in range(STEPS):
            loss = self.loss(student, self.images)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(loss.item())
        require(losses[-1] < losses[0], f"{losses[0]:.4g}, then {losses[-1]:.4g}: return what is to be lowered")
        return f"{losses[0]:.4g}, then {losses[-1]:.4g}"


def _error(qualities: Tensor, wanted: Tensor) -> Tensor:
    return mse_loss(qualities / 100, wanted / 100)
