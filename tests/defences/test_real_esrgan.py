"""Real-ESRGAN with random weights in the published layout: its output computed again from the names in the files."""

from __future__ import annotations

from pathlib import Path

import torch
from published_weights import count, images, load, noise, write_real_esrgan
from torch.nn import functional


def test_real_esrgan_is_the_mean_of_two_networks_weights(hub: Path) -> None:
    general, twin = write_real_esrgan(hub)
    assert count(general) == 1_213_296  # as published
    given = images()
    features = given
    for index in range(34):
        name = f"body.{2 * index}"
        kernel, bias = (0.2 * general[f"{name}.{kind}"] + 0.8 * twin[f"{name}.{kind}"] for kind in ("weight", "bias"))
        features = functional.conv2d(features, kernel, bias, padding=1)
        if index < 33:
            slope = 0.2 * general[f"body.{2 * index + 1}.weight"] + 0.8 * twin[f"body.{2 * index + 1}.weight"]
            features = torch.where(features > 0, features, slope.view(1, -1, 1, 1) * features)
    large = features.reshape(1, 3, 4, 4, 37, 43).permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 148, 172)
    large = (large + given.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)).clamp(0, 1)
    wanted = functional.interpolate(large, size=(37, 43), mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(load("real_esrgan")(given, noise()), wanted, atol=1e-5, rtol=0)
