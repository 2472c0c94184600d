"""DISCO with random weights in the published layout: its output computed again from the paper and the names."""

from __future__ import annotations

from pathlib import Path

import torch
from published_weights import State, images, load, noise, write_disco
from torch import Tensor
from torch.nn import functional


def disco_by_formula(state: State, image: Tensor) -> Tensor:
    """Evaluates the local implicit function at every pixel's centre, with its ensemble of four."""

    def conv(name: str, features: Tensor) -> Tensor:
        return functional.conv2d(features, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def colour(codes: Tensor) -> Tensor:
        for layer in range(5):
            name = f"imnet.layers.{2 * layer}"
            codes = functional.linear(codes, state[f"{name}.weight"], state[f"{name}.bias"])
            codes = codes.relu() if layer < 4 else codes
        return codes

    shallow = conv("encoder.head.0", 2 * image - 1)
    deep = shallow
    for block in range(16):
        name = f"encoder.body.{block}.body"
        deep = deep + conv(f"{name}.2", conv(f"{name}.0", deep).relu())
    features = shallow + conv("encoder.body.16", deep)
    height, width = image.shape[2:]
    codes = functional.unfold(features, 3, padding=1).reshape(1, 576, height, width)[0].permute(1, 2, 0)
    found = torch.empty(height, width, 3)
    for row in range(height):
        for column in range(width):
            total, weights = torch.zeros(3), 0.0
            for down in (0, 1):  # the four pixels around a place that is a hair right of and below the centre
                for right in (0, 1):
                    near = (min(row + down, height - 1), min(column + right, width - 1))
                    away = torch.tensor([2.0 * (row - near[0]), 2.0 * (column - near[1])])
                    # the weight is the area between the place and the pixel across
                    across = (min(row + 1 - down, height - 1), min(column + 1 - right, width - 1))
                    area = abs(4.0 * (row - across[0]) * (column - across[1])) + 1e-9
                    shade = colour(torch.cat([codes[near], away, torch.tensor([2.0, 2.0])]))
                    total, weights = total + area * shade, weights + area
            found[row, column] = total / weights
    return ((found.permute(2, 0, 1)[None] + 1) / 2).clamp(0, 1)


def test_disco_is_the_local_implicit_function_at_the_pixels_centres(hub: Path) -> None:
    state = write_disco(hub)
    given = images(11, 13)
    found = load("disco")(given, noise())
    assert found.std() > 1e-3
    wanted = disco_by_formula(state, given)
    torch.testing.assert_close(found[..., :-1, :-1], wanted[..., :-1, :-1], atol=1e-5, rtol=0)
