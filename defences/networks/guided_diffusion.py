"""The unconditional diffusion model of 256x256 images by Dhariwal and Nichol, as diffusers' UNet2DModel.

Dhariwal, Nichol. Diffusion models beat GANs on image synthesis. NeurIPS, 2021. https://arxiv.org/abs/2105.05233
These settings give the published 552,814,086 parameters. Only names and the order of rows in the attention differ.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

LEVELS = 6  # of resolution, each half the one before
ATTENDED = 3  # of them have attention: the deepest
HEAD = 64  # channels of an attention head

RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}


def unet(width: int = 256) -> nn.Module:
    """Returns the network with random weights; it takes sides that are multiples of 32.

    Args:
        width: Channels at full resolution; the published model has 256.
    """
    plain = LEVELS - ATTENDED
    network: nn.Module = UNet2DModel(
        sample_size=256,
        out_channels=6,  # 3 for the noise, 3 for where the variance lies between its bounds
        block_out_channels=tuple(width * factor for factor in (1, 1, 2, 2, 4, 4)),
        layers_per_block=2,
        down_block_types=("ResnetDownsampleBlock2D",) * plain + ("AttnDownBlock2D",) * ATTENDED,
        up_block_types=("AttnUpBlock2D",) * ATTENDED + ("ResnetUpsampleBlock2D",) * plain,
        downsample_type="resnet",
        upsample_type="resnet",
        attention_head_dim=HEAD,
        attn_norm_num_groups=32,
        resnet_time_scale_shift="scale_shift",
    )
    return network


def from_published(saved: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights of `unet`, by name, from those of the published file."""
    found: dict[str, Tensor] = {}
    for theirs, ours in _places():
        parts = {
            name.removeprefix(f"{theirs}."): value for name, value in saved.items() if name.startswith(f"{theirs}.")
        }
        if "qkv.weight" in parts:
            found |= {f"{ours}.{name}": value for name, value in _attention(parts).items()}
            continue
        for name, value in parts.items():
            part, _, kind = name.rpartition(".")
            found[".".join(filter(None, (ours, RESIDUAL.get(part, part), kind)))] = value
    return found


def _places() -> Iterator[tuple[str, str]]:
    """Yields the name of each block in the published file and in diffusers' network."""
    yield from {
        "time_embed.0": "time_embedding.linear_1",
        "time_embed.2": "time_embedding.linear_2",
        "input_blocks.0.0": "conv_in",
        "middle_block.0": "mid_block.resnets.0",
        "middle_block.1": "mid_block.attentions.0",
        "middle_block.2": "mid_block.resnets.1",
        "out.0": "conv_norm_out",
        "out.2": "conv_out",
    }.items()
    number = 1
    for level in range(LEVELS):
        for layer in range(2):
            yield f"input_blocks.{number}.0", f"down_blocks.{level}.resnets.{layer}"
            if level >= LEVELS - ATTENDED:
                yield f"input_blocks.{number}.1", f"down_blocks.{level}.attentions.{layer}"
            number += 1
        if level < LEVELS - 1:
            yield f"input_blocks.{number}.0", f"down_blocks.{level}.downsamplers.0"
            number += 1
    for number in range(3 * LEVELS):
        level, layer = divmod(number, 3)
        yield f"output_blocks.{number}.0", f"up_blocks.{level}.resnets.{layer}"
        if level < ATTENDED:
            yield f"output_blocks.{number}.1", f"up_blocks.{level}.attentions.{layer}"
        if layer == 2 and level < LEVELS - 1:
            yield f"output_blocks.{number}.{2 if level < ATTENDED else 1}", f"up_blocks.{level}.upsamplers.0"


def _attention(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights of an attention block; the file holds queries, keys and values head by head in one matrix."""
    found = {
        "group_norm.weight": parts["norm.weight"],
        "group_norm.bias": parts["norm.bias"],
        "to_out.0.weight": parts["proj_out.weight"].squeeze(2),
        "to_out.0.bias": parts["proj_out.bias"],
    }
    for kind, value in (("weight", parts["qkv.weight"].squeeze(2)), ("bias", parts["qkv.bias"])):
        heads = value.reshape(-1, 3, HEAD, *value.shape[1:])
        for index, name in enumerate(("to_q", "to_k", "to_v")):
            found[f"{name}.{kind}"] = torch.flatten(heads[:, index], 0, 1)
    return found
