"""Counts where a computation would make the processor wait for a GPU, without one.

Tensors on PyTorch's `meta` device stand for those of a GPU. They have shapes but no values, so code that asks for one
either passes here and is counted, or fails: nothing is missed because it was not thought of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor
from torch.fx.experimental import _config
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("meta")  # what stands for it


class WaitCounter(TorchDispatchMode):
    """Counts waits, while it is entered, by the operator that causes them.

    They are: to read a value on the processor (`item`, `if tensor`, `equal`), to make a tensor whose size depends on
    values (`nonzero`, a mask as index), and to copy between the memories, in either direction: what is copied to a GPU
    lies in ordinary memory here, and PyTorch then waits, too. A value that is read is 1 or True, and all tensors are
    equal. What a CUDA kernel waits for by itself, as some of linear algebra do, cannot be seen.

    Attributes:
        waits: The operators' names, each with how often it was called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        """Begins to count; until then and afterwards, `nonzero` has no size on `meta`."""
        self.stack.enter_context(_config.patch(meta_nonzero_assume_all_nonzero=True))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Ends counting."""
        super().__exit__(*error)
        self.stack.close()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls an operator, or answers for it where it needs values."""
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        if not any(each.device == GPU for each in tensors) and torch.device(kwargs.get("device") or "cpu") != GPU:
            return func(*args, **kwargs)
        if _waits(func, name, tensors, kwargs.get("device")):
            self.waits[name] += 1
        return _answer(func, name, args, kwargs)


def waits_of(work: Callable[[], object]) -> Counter[str]:
    """Returns what waits in some work, each with how often."""
    with WaitCounter() as counter:
        work()
    return counter.waits


def _waits(func: Any, name: str, tensors: list[Tensor], device: torch.device | None) -> bool:
    if name.startswith(("index", "_unsafe_index")):  # whole numbers on the GPU itself are no reason to wait
        return any(each.dtype == torch.bool or (each.device != GPU and each.dim() > 0) for each in tensors[1:])
    if name == "_to_copy":
        return device is not None and torch.device(device) != tensors[0].device
    if name == "copy_":
        return tensors[0].device != tensors[1].device
    if name == "lift_fresh":  # a tensor made of Python's numbers
        return True
    return bool({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags))


def _answer(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name == "_local_scalar_dense":
        return torch.ones((), dtype=args[0].dtype).item()
    if torch.Tag.data_dependent_output in func.tags:
        return True
    if name == "_to_copy" and args[0].device == GPU and torch.device(kwargs.get("device") or GPU) != GPU:
        return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
    if name == "copy_" and args[0].device != GPU:
        return args[0].fill_(1)
    return func(*args, **kwargs)
