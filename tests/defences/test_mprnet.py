"""MPRNet with random weights in the published layout: its output computed again from the paper and the names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from published_weights import State, images, load, noise, write_mprnet
from torch import Tensor
from torch.nn import functional


def mprnet_by_names(state: State, image: Tensor) -> Tensor:  # noqa: PLR0915  # one network, from top to bottom
    """Computes the three stages patch by patch, as figure 2 of the paper has them."""

    def conv(name: str, features: Tensor) -> Tensor:
        kernel = state[f"{name}.weight"]
        return functional.conv2d(features, kernel, padding=kernel.shape[2] // 2)

    def cab(name: str, features: Tensor) -> Tensor:
        inner = conv(f"{name}.body.0", features)
        inner = conv(f"{name}.body.2", torch.where(inner > 0, inner, 0.3 * inner))
        pooled = functional.adaptive_avg_pool2d(inner, 1)
        gates = conv(f"{name}.CA.conv_du.2", conv(f"{name}.CA.conv_du.0", pooled).relu()).sigmoid()
        return features + gates * inner

    def cabs(name: str, features: Tensor, number: int = 2) -> Tensor:
        for block in range(number):
            features = cab(f"{name}.{block}", features)
        return features

    def half(features: Tensor) -> Tensor:  # bilinear at half the size is the mean of four
        return functional.avg_pool2d(features, 2)

    def twice(features: Tensor) -> Tensor:
        return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)

    def encode(name: str, features: Tensor, earlier: Any = None) -> list[Tensor]:
        scales = []
        for level in (1, 2, 3):
            if level > 1:
                down = {2: "down12", 3: "down23"}[level]
                features = conv(f"{name}.{down}.down.1", half(scales[-1]))
            scales.append(cabs(f"{name}.encoder_level{level}", features))
            if earlier is not None:
                for side, before in zip(("enc", "dec"), earlier, strict=True):
                    scales[-1] = scales[-1] + conv(f"{name}.csff_{side}{level}", before[level - 1])
        return scales

    def decode(name: str, scales: list[Tensor]) -> list[Tensor]:
        third = cabs(f"{name}.decoder_level3", scales[2])
        second = conv(f"{name}.up32.up.1", twice(third)) + cab(f"{name}.skip_attn2", scales[1])
        second = cabs(f"{name}.decoder_level2", second)
        first = conv(f"{name}.up21.up.1", twice(second)) + cab(f"{name}.skip_attn1", scales[0])
        return [cabs(f"{name}.decoder_level1", first), second, third]

    def supervised(name: str, features: Tensor, shown: Tensor) -> Tensor:
        restored = conv(f"{name}.conv2", features) + shown
        return features + conv(f"{name}.conv1", features) * conv(f"{name}.conv3", restored).sigmoid()

    def shallow(stage: int, shown: Tensor) -> Tensor:
        return cab(f"shallow_feat{stage}.1", conv(f"shallow_feat{stage}.0", shown))

    height, width = image.shape[2:]
    second = []
    for top in (0, height // 2):
        row = image[:, :, top : top + height // 2]
        quarters = [row[..., left : left + width // 2] for left in (0, width // 2)]
        encoded = [encode("stage1_encoder", shallow(1, quarter)) for quarter in quarters]
        joined = [torch.cat(pair, dim=3) for pair in zip(*encoded, strict=True)]
        decoded = decode("stage1_decoder", joined)
        known = supervised("sam12", decoded[0], row)
        features = conv("concat12", torch.cat([shallow(2, row), known], dim=1))
        second.append(encode("stage2_encoder", features, (joined, decoded)))
    joined = [torch.cat(pair, dim=2) for pair in zip(*second, strict=True)]
    decoded = decode("stage2_decoder", joined)
    known = supervised("sam23", decoded[0], image)
    features = conv("concat23", torch.cat([shallow(3, image), known], dim=1))
    for part in (1, 2, 3):
        orb = f"stage3_orsnet.orb{part}.body"
        features = features + conv(f"{orb}.8", cabs(orb, features, 8))
        for side, scales in (("enc", joined), ("dec", decoded)):
            taken = scales[part - 1]
            if part == 2:
                taken = conv(f"stage3_orsnet.up_{side}1.up.1", twice(taken))
            if part == 3:
                taken = conv(f"stage3_orsnet.up_{side}2.0.up.1", twice(taken))
                taken = conv(f"stage3_orsnet.up_{side}2.1.up.1", twice(taken))
            features = features + conv(f"stage3_orsnet.conv_{side}{part}", taken)
    return image + conv("tail", features)


def test_mprnet_is_the_papers(hub: Path) -> None:
    state = write_mprnet(hub)
    given = images(29, 40)
    mirrored = torch.cat([given, given[:, :, [27, 26, 25]]], dim=2)
    wanted = mprnet_by_names(state, mirrored)[:, :, :29].clamp(0, 1)
    found = load("mprnet")(given, noise())
    assert (found - given).abs().mean() > 1e-3
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
