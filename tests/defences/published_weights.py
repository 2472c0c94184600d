"""Random weights in the layout of the published files, by the names in these, and defences that load them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metric_robustness.defences.base import Defence
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.engine.metric.objective import ImageNoise

State = dict[str, Tensor]


def load(name: str) -> Defence:
    defence: Defence = lookup.find("defences", name).load()()
    return defence


def images(height: int = 37, width: int = 43, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(3))


def noise(count: int = 1) -> ImageNoise:
    return ImageNoise("any", [f"{index}.png" for index in range(count)])


class Drawn:
    """Random parameters that keep the size of a signal from layer to layer."""

    def __init__(self, seed: int) -> None:
        self.generator, self.state = torch.Generator().manual_seed(seed), {}

    def add(self, name: str, *shape: int, scale: float = 1.0, offset: float = 0.0) -> None:
        fan = math.prod(shape[1:]) if len(shape) > 1 else 100
        self.state[name] = offset + scale * torch.randn(shape, generator=self.generator) / math.sqrt(fan)

    def conv(self, name: str, narrow: int, wide: int, side: int = 3, *, bias: bool = True) -> None:
        self.add(f"{name}.weight", wide, narrow, side, side)
        if bias:
            self.add(f"{name}.bias", wide)


def count(state: State) -> int:
    return sum(value.numel() for value in state.values())


def srvgg(seed: int) -> State:
    drawn = Drawn(seed)
    widths = [3] + [64] * 33 + [48]
    for index in range(34):
        drawn.conv(f"body.{2 * index}", widths[index], widths[index + 1])
        if index < 33:
            drawn.add(f"body.{2 * index + 1}.weight", 64, offset=0.25)
    return drawn.state


def write_real_esrgan(folder: Path) -> tuple[State, State]:
    states = srvgg(1), srvgg(2)
    for state, name in zip(states, ("realesr-general-x4v3.pth", "realesr-general-wdn-x4v3.pth"), strict=True):
        torch.save({"params": state}, folder / name)
    return states


def mprnet(seed: int) -> State:
    drawn = Drawn(seed)

    def conv(name: str, narrow: int, wide: int, side: int = 3) -> None:
        drawn.conv(name, narrow, wide, side, bias=False)

    def cab(name: str, width: int) -> None:
        conv(f"{name}.CA.conv_du.0", width, width // 4, 1)
        conv(f"{name}.CA.conv_du.2", width // 4, width, 1)
        conv(f"{name}.body.0", width, width)
        drawn.state[f"{name}.body.1.weight"] = torch.tensor([0.3])
        conv(f"{name}.body.2", width, width)

    for stage in (1, 2, 3):
        conv(f"shallow_feat{stage}.0", 3, 80)
        cab(f"shallow_feat{stage}.1", 80)
    for stage in (1, 2):
        for half in ("encoder", "decoder"):
            for level, width in enumerate((80, 128, 176), start=1):
                for block in (0, 1):
                    cab(f"stage{stage}_{half}.{half}_level{level}.{block}", width)
        conv(f"stage{stage}_encoder.down12.down.1", 80, 128, 1)
        conv(f"stage{stage}_encoder.down23.down.1", 128, 176, 1)
        cab(f"stage{stage}_decoder.skip_attn1", 80)
        cab(f"stage{stage}_decoder.skip_attn2", 128)
        conv(f"stage{stage}_decoder.up21.up.1", 128, 80, 1)
        conv(f"stage{stage}_decoder.up32.up.1", 176, 128, 1)
    for level, width in enumerate((80, 128, 176), start=1):
        for side in ("enc", "dec"):
            conv(f"stage2_encoder.csff_{side}{level}", width, width, 1)
            conv(f"stage3_orsnet.conv_{side}{level}", 80, 112, 1)
    for side in ("enc", "dec"):
        conv(f"stage3_orsnet.up_{side}1.up.1", 128, 80, 1)
        conv(f"stage3_orsnet.up_{side}2.0.up.1", 176, 128, 1)
        conv(f"stage3_orsnet.up_{side}2.1.up.1", 128, 80, 1)
    for part in (1, 2, 3):
        for block in range(8):
            cab(f"stage3_orsnet.orb{part}.body.{block}", 112)
        conv(f"stage3_orsnet.orb{part}.body.8", 112, 112)
    for name in ("sam12", "sam23"):
        conv(f"{name}.conv1", 80, 80, 1)
        conv(f"{name}.conv2", 80, 3, 1)
        conv(f"{name}.conv3", 3, 80, 1)
    conv("concat12", 160, 80)
    conv("concat23", 160, 112)
    conv("tail", 112, 3)
    return {name: value if value.numel() == 1 else 0.5 * value for name, value in drawn.state.items()}


def write_mprnet(folder: Path) -> State:
    state = mprnet(4)
    saved = {f"module.{name}": value for name, value in state.items()}
    torch.save({"epoch": 80, "state_dict": saved}, folder / "mprnet_denoising.pth")
    return state


def disco(seed: int) -> State:
    drawn = Drawn(seed)
    for name in ("sub_mean", "add_mean"):  # in the file, never used
        drawn.conv(f"encoder.{name}", 3, 3, 1)
    drawn.conv("encoder.head.0", 3, 64)
    for block in range(16):
        for layer in (0, 2):
            drawn.conv(f"encoder.body.{block}.body.{layer}", 64, 64)
    drawn.conv("encoder.body.16", 64, 64)
    for layer, (narrow, wide) in enumerate([(64 * 9 + 4, 256), (256, 256), (256, 256), (256, 256), (256, 3)]):
        drawn.add(f"imnet.layers.{2 * layer}.weight", wide, narrow)
        drawn.add(f"imnet.layers.{2 * layer}.bias", wide)
    return {name: 0.7 * value for name, value in drawn.state.items()}


def write_disco(folder: Path) -> State:
    state = disco(5)
    torch.save({"model": {"name": "liif", "args": {}, "sd": state}, "epoch": 1}, folder / "disco_pgd.pth")
    return state


def guided(width: int, seed: int) -> State:
    """Returns parameters under the names of openai/guided-diffusion."""
    drawn, embedded = Drawn(seed), 4 * width

    def norm(name: str, channels: int) -> None:
        drawn.add(f"{name}.weight", channels, offset=1)
        drawn.add(f"{name}.bias", channels)

    def linear(name: str, narrow: int, wide: int) -> None:
        drawn.add(f"{name}.weight", wide, narrow)
        drawn.add(f"{name}.bias", wide)

    def residual(name: str, narrow: int, wide: int) -> None:
        norm(f"{name}.in_layers.0", narrow)
        drawn.conv(f"{name}.in_layers.2", narrow, wide)
        linear(f"{name}.emb_layers.1", embedded, 2 * wide)
        norm(f"{name}.out_layers.0", wide)
        drawn.conv(f"{name}.out_layers.3", wide, wide)
        if narrow != wide:
            drawn.conv(f"{name}.skip_connection", narrow, wide, 1)

    def attention(name: str, channels: int) -> None:
        norm(f"{name}.norm", channels)
        for part, wide in (("qkv", 3 * channels), ("proj_out", channels)):
            drawn.add(f"{name}.{part}.weight", wide, channels, 1)
            drawn.add(f"{name}.{part}.bias", wide)

    linear("time_embed.0", width, embedded)
    linear("time_embed.2", embedded, embedded)
    drawn.conv("input_blocks.0.0", 3, width)
    now, number, skips = width, 1, [width]
    wides = [width * factor for factor in (1, 1, 2, 2, 4, 4)]
    for level, wide in enumerate(wides):
        for _ in range(2):
            residual(f"input_blocks.{number}.0", now, wide)
            if level >= 3:
                attention(f"input_blocks.{number}.1", wide)
            now, number = wide, number + 1
            skips.append(now)
        if level < 5:
            residual(f"input_blocks.{number}.0", now, now)
            number += 1
            skips.append(now)
    residual("middle_block.0", now, now)
    attention("middle_block.1", now)
    residual("middle_block.2", now, now)
    number = 0
    for level, wide in reversed(list(enumerate(wides))):
        for layer in range(3):
            residual(f"output_blocks.{number}.0", now + skips.pop(), wide)
            now, part = wide, 1
            if level >= 3:
                attention(f"output_blocks.{number}.1", now)
                part = 2
            if level and layer == 2:
                residual(f"output_blocks.{number}.{part}", now, now)
            number += 1
    norm("out.0", now)
    drawn.conv("out.2", now, 6)
    return drawn.state


def write_diffpure(folder: Path) -> State:
    state = guided(32, 6)
    torch.save(state, folder / "256x256_diffusion_uncond.pt")
    return state


WRITERS: dict[str, Callable[[Path], Any]] = {
    "real_esrgan": write_real_esrgan,
    "mprnet": write_mprnet,
    "disco": write_disco,
    "diffpure": write_diffpure,
}
