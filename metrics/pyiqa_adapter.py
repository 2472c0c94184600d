"""Shared base of the metrics that pyiqa implements: builds pyiqa's network once and calls it directly.

pyiqa's own `forward` averages over the batch, switches gradients off and resets cuDNN's flags on every call. The
network inside does none of this.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any, ClassVar

from torch import Tensor, nn

from metric_robustness.metrics.base import FullReference, Images, Metric, NoReference, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.weights_adapter import loading

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # packages that pyiqa imports announce their own future changes
    import pyiqa

logging.getLogger("pyiqa").addFilter(lambda record: record.levelno > logging.INFO)  # hides "Network [...] is created."


class PyiqaMetric(Metric):
    """A metric by its name in pyiqa; subclass `PyiqaNoReference` or `PyiqaFullReference` instead."""

    licence = "PolyForm Noncommercial 1.0.0"  # pyiqa's; an entry adds that of its weights or original code if known
    model: ClassVar[str]  # its name in pyiqa
    options: ClassVar[dict[str, Any]] = {}  # arguments of its construction that differ from pyiqa's defaults

    net: Any  # pyiqa's network

    def __init__(self) -> None:
        """Builds the network.

        Raises:
            ValueError: If a weights file is missing, damaged or holds more than tensors.
        """
        super().__init__()
        self.net = build(self.model, self.options, self.weights)
        self.hidden_networks = _register_hidden(self.net)


class PyiqaNoReference(PyiqaMetric, NoReference):
    """A pyiqa metric of the image alone."""

    def score(self, images: Images) -> Scores:
        scores: Tensor = self.net(finite_gradient(images))
        return scores.reshape(len(images))  # pyiqa's networks return (N,), (N, 1) or, for one image, ()


class PyiqaFullReference(PyiqaMetric, FullReference):
    """A pyiqa metric of the image against its original."""

    def score(self, images: Images, references: Images) -> Scores:
        scores: Tensor = self.net(finite_gradient(images), finite_gradient(references))
        return scores.reshape(len(images))


class Constant(nn.Module):
    """Replaces a part of a network whose output is always the same."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value, persistent=False)

    def forward(self, *_: Any) -> Tensor:
        return self.value


def build(model: str, options: dict[str, Any], weights: tuple[str, ...]) -> nn.Module:
    """Returns pyiqa's network on the CPU, in evaluation mode: the same weights every time, and no output.

    Raises:
        ValueError: If a weights file is missing, damaged or holds more than tensors.
    """
    with loading(f"pyiqa's {model}", weights), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric = pyiqa.create_metric(model, as_loss=True, loss_reduction="none", device="cpu", **options)
    network: nn.Module = metric.net
    return network.eval()


def _register_hidden(network: nn.Module) -> nn.ModuleList:
    """Makes plain tensors buffers and returns networks from plain lists, so that `.to(device)` reaches all of them."""
    found = nn.ModuleList()
    for module in list(network.modules()):
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):
                delattr(module, name)
                module.register_buffer(name, value, persistent=False)
            elif isinstance(value, list | tuple):
                found.extend(item.eval() for item in value if isinstance(item, nn.Module))
    for hidden in list(found):
        found.extend(_register_hidden(hidden))
    return found
