"""Shared base of the defences with a network: builds it once, frozen, and reads its weights as tensors only."""

from __future__ import annotations

import pickle
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import pad

from metric_robustness.defences.base import Defence, Images

State = dict[str, Tensor]  # parameters by name
# What readers of weight files raise when a file is truncated or holds something else.
UNREADABLE = (OSError, EOFError, LookupError, TypeError, ValueError, RuntimeError, pickle.UnpicklingError)


@dataclass(frozen=True)
class NetworkDefence(Defence):
    """A defence with a network; all settings of a defence share one network.

    Raises:
        ValueError: If a weights file is missing, damaged, of another architecture or holds more than tensors.
    """

    def __post_init__(self) -> None:
        built(type(self))

    def network(self, images: Images) -> nn.Module:
        """Returns the network, moved to the images' device."""
        return built(type(self)).to(images.device)

    @classmethod
    @abstractmethod
    def untrained(cls) -> nn.Module:
        """Returns the network with random weights from torch's global generator."""

    @classmethod
    def state(cls) -> State:
        """Returns the weights from the file, under the network's own names."""
        found: State = read(cls.weights[0])
        return found


@cache
def built(kind: type[NetworkDefence]) -> nn.Module:
    """Returns the network of a defence with its weights: on the CPU, in evaluation mode, frozen.

    Raises:
        ValueError: If a weights file is missing, damaged, of another architecture or holds more than tensors.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            network = kind.untrained()
        network.load_state_dict(kind.state())
    except (*UNREADABLE, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{kind.__name__} must be built from {' and '.join(kind.weights)}; got {type(error).__name__}: {reason}: "
            "fetch them again with python -m pipeline weights fetch"
        ) from error
    return network.eval().requires_grad_(requires_grad=False)


def read(weights: str) -> Any:
    """Returns the content of a weights file: tensors, or containers of tensors.

    Args:
        weights: The path as an entry declares it: `weights/FILE` in this folder, or `hub/FOLDER/FILE` in torch's hub.
    """
    if weights.startswith("weights/"):
        return load_file(Path(__file__).parent / weights)
    path = Path(torch.hub.get_dir()) / weights.removeprefix("hub/")
    return torch.load(path, map_location="cpu", weights_only=True)


def padded(images: Images, multiple: int) -> Images:
    """Returns the images with mirrored rows below and columns on the right, so that `multiple` divides both sides."""
    below, right = (-side % multiple for side in images.shape[2:])
    return pad(images, (0, right, 0, below), mode="reflect")
