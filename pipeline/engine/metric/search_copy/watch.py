"""Watches which tensor goes where in one pass of a network, to find the layers that one layer can do the work of.

What a forward does with its layers, its code alone knows: it may be written by hand. So one pass is watched instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # its usual name
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

LINEAR = {torch.conv1d, torch.conv2d, torch.conv3d, F.linear}  # their second argument is the weight
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Pair(NamedTuple):
    """A convolution or linear layer, and the batch norm that alone reads what it makes."""

    layer: nn.Module
    norm: nn.Module


class TensorWatch(TorchFunctionMode):
    """Records, while it is entered, what reads the results of each layer and what each batch norm reads.

    Args:
        network: Whose layers to watch.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.layers = _owners(network, "weight")
        self.norms = _owners(network, "running_mean")
        self.made = WeakTensorKeyDictionary()  # by tensor: the layer that made it
        self.readers: dict[nn.Module, set[nn.Module | None]] = {}  # of a layer's results; None: no batch norm
        self.sources: dict[nn.Module, set[nn.Module | None]] = {}  # of what a batch norm reads; None: no layer

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls a function of PyTorch, and records it if it makes tensors: to ask for a shape reads no values."""
        result = func(*args, **(kwargs or {}))
        if not any(isinstance(each, Tensor) for each in tree_leaves(result)):
            return result
        norm = self.norms.get(id(args[1])) if func is F.batch_norm and len(args) > 1 else None
        makers = [self.made[each] for each in tree_leaves((args, kwargs)) if self._is_made(each)]
        for maker in makers:
            self.readers[maker].add(norm)
        if norm is not None:
            self.sources.setdefault(norm, set()).update(makers or [None])
        layer = self.layers.get(id(args[1])) if func in LINEAR and len(args) > 1 else None
        if layer is not None:
            self.readers.setdefault(layer, set())
            self.made[result] = layer
        return result

    def pairs(self) -> Iterator[Pair]:
        """Yields the pairs of which the batch norm reads nothing else, and nothing else reads the layer."""
        for norm, layers in self.sources.items():
            found = [Pair(layer, norm) for layer in layers if layer is not None and self.readers[layer] == {norm}]
            if len(found) == len(layers) and _is_plain(norm) and not any(_has_hooks(pair.layer) for pair in found):
                yield from found

    def _is_made(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value in self.made


def _owners(network: nn.Module, name: str) -> dict[int, nn.Module]:
    """Returns the modules that hold a tensor of this name, by its id; none of those that share it."""
    found: dict[int, list[nn.Module]] = {}
    for module in network.modules():
        held = {**module._parameters, **module._buffers}.get(name)  # what is computed in every pass is no layer's own
        if held is not None:
            found.setdefault(id(held), []).append(module)
    return {key: modules[0] for key, modules in found.items() if len(modules) == 1}


def _is_plain(norm: nn.Module) -> bool:
    """Tells whether a module does nothing but normalise by fixed statistics; a subclass may do more."""
    return type(norm) in NORMS and not norm.training and not _has_hooks(norm)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)
