"""The diffusion model with random weights in the published layout: its output computed again from the names."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from published_weights import State, count, guided, images, load, noise, write_diffpure
from torch import Tensor
from torch.nn import functional

from metric_robustness.pipeline.catalogue import lookup


def guided_by_names(state: State, noisy: Tensor, step: int) -> Tensor:
    """Computes the network block by block, with the names in the file."""
    width = state["input_blocks.0.0.weight"].shape[0]

    def linear(name: str, values: Tensor) -> Tensor:
        return functional.linear(values, state[f"{name}.weight"], state[f"{name}.bias"])

    def conv(name: str, values: Tensor) -> Tensor:
        kernel = state[f"{name}.weight"]
        return functional.conv2d(values, kernel, state[f"{name}.bias"], padding=kernel.shape[2] // 2)

    def norm(name: str, values: Tensor) -> Tensor:
        return functional.group_norm(values, 32, state[f"{name}.weight"], state[f"{name}.bias"])

    def residual(name: str, values: Tensor, resample: Callable[[Tensor], Tensor] = lambda same: same) -> Tensor:
        inner = conv(f"{name}.in_layers.2", resample(functional.silu(norm(f"{name}.in_layers.0", values))))
        scale, shift = linear(f"{name}.emb_layers.1", functional.silu(embedding))[..., None, None].chunk(2, dim=1)
        inner = norm(f"{name}.out_layers.0", inner) * (1 + scale) + shift
        inner = conv(f"{name}.out_layers.3", functional.silu(inner))
        passed = resample(values)
        return inner + (
            conv(f"{name}.skip_connection", passed) if f"{name}.skip_connection.weight" in state else passed
        )

    def attention(name: str, values: Tensor) -> Tensor:
        flat = norm(f"{name}.norm", values).flatten(2)
        qkv = functional.conv1d(flat, state[f"{name}.qkv.weight"], state[f"{name}.qkv.bias"])
        parts = []
        for head in qkv.split(3 * 64, dim=1):
            query, key, value = head.split(64, dim=1)
            shares = torch.softmax(query.transpose(1, 2) @ key / 8, dim=2)
            parts.append(value @ shares.transpose(1, 2))
        mixed = functional.conv1d(torch.cat(parts, 1), state[f"{name}.proj_out.weight"], state[f"{name}.proj_out.bias"])
        return values + mixed.reshape(values.shape)

    rates = torch.exp(-math.log(10000) * torch.arange(width // 2) / (width // 2))
    angles = step * rates
    waves = torch.cat([angles.cos(), angles.sin()])[None]
    embedding = linear("time_embed.2", functional.silu(linear("time_embed.0", waves)))
    now = conv("input_blocks.0.0", noisy)
    skips, number = [now], 1
    for level in range(6):
        for _ in range(2):
            now = residual(f"input_blocks.{number}.0", now)
            now = attention(f"input_blocks.{number}.1", now) if level >= 3 else now
            skips, number = [*skips, now], number + 1
        if level < 5:
            now = residual(f"input_blocks.{number}.0", now, lambda values: functional.avg_pool2d(values, 2))
            skips, number = [*skips, now], number + 1
    now = residual("middle_block.2", attention("middle_block.1", residual("middle_block.0", now)))
    for number in range(18):
        now = residual(f"output_blocks.{number}.0", torch.cat([now, skips.pop()], dim=1))
        now = attention(f"output_blocks.{number}.1", now) if number < 9 else now
        if number % 3 == 2 and number < 15:
            last = f"output_blocks.{number}.{2 if number < 9 else 1}"
            now = residual(last, now, lambda values: values.repeat_interleave(2, 2).repeat_interleave(2, 3))
    return conv("out.2", functional.silu(norm("out.0", now)))


def test_the_published_diffusion_model_has_as_many_parameters() -> None:
    from metric_robustness.defences.networks.guided_diffusion import unet

    with torch.device("meta"):
        assert sum(value.numel() for value in unet().parameters()) == 552_814_086  # as published


def test_diffusers_network_computes_what_the_published_one_does() -> None:
    from metric_robustness.defences.networks.guided_diffusion import from_published, unet

    state = guided(32, 6)
    network = unet(32).eval()
    network.load_state_dict(from_published(state))
    assert count(state) == sum(value.numel() for value in network.parameters())
    noisy = 2 * images(64, 96) - 1
    with torch.no_grad():
        for step in (0, 7, 49):
            wanted = guided_by_names(state, noisy, step)
            assert wanted.std() > 0.05
            torch.testing.assert_close(network(noisy, step).sample, wanted, atol=2e-4, rtol=1e-4)


@pytest.mark.usefixtures("narrow")
def test_diffpure_runs_on_the_published_file_and_sharpens_where_it_should(hub: Path) -> None:
    write_diffpure(hub)
    given = images(40, 50)
    plain, sharpened = (load(name)(given, noise()) for name in ("diffpure", "diffpure_unsharp"))
    wanted = lookup.find("defences", "unsharp").load()()(plain, noise())
    assert torch.equal(sharpened, wanted)
    assert (plain - given).abs().mean() > 1e-4
