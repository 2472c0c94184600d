"""A copy of a user's module, which the engine freezes and lays out anew while the user's own stays as it is."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch import nn

from metric_robustness.pipeline.engine.metric.search_copy import left_behind
from metric_robustness.pipeline.errors import DataError

PYIQA = ("metric_name", "metric_mode", "lower_better")  # attributes of its metrics


def copied(module: nn.Module) -> nn.Module:
    """Returns a copy of a module, whose scores have a gradient where pyiqa's own would have none.

    Tensors that an earlier pass left in the module, such as features that a hook keeps, lose their graph in the copy.

    Raises:
        DataError: If it holds what cannot be copied.
    """
    if isinstance(module, torch.jit.ScriptModule):  # whose parameters are no leaves in a deep copy
        return _saved_and_loaded(module)
    try:
        own = left_behind.copied(module)
    except Exception as error:
        name = type(module).__name__
        raise DataError(
            f"the module must be one that copy.deepcopy can copy; {name} raises {str(error).partition(chr(10))[0]}: "
            "pass a function that calls it"
        ) from error
    if is_of_pyiqa(own):
        vars(own).update(as_loss=True, loss_weight=None, loss_reduction="none", check_input_range=False)
    return own


def is_of_pyiqa(given: Any) -> bool:
    """Tells whether `pyiqa.create_metric` made it, so that it says its name, kind and direction."""
    return type(given).__module__.startswith("pyiqa.") and all(map(given.__dict__.__contains__, PYIQA))


def _saved_and_loaded(module: torch.jit.ScriptModule) -> nn.Module:
    packed = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that PyTorch will give up such modules, which the user knows already
        torch.jit.save(module, packed)
        packed.seek(0)
        loaded: nn.Module = torch.jit.load(packed)  # type: ignore[no-untyped-call]
    return loaded
