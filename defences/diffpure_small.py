"""Small DiffPure: diffusion purification by a tiny model of ours, which knows the first 100 steps of 1,000 only.

Nie, Guo, Huang, Xiao, Vahdat, Anandkumar. Diffusion models for adversarial purification. ICML, 2022.
https://arxiv.org/abs/2205.07460
The project trained it on a few photographs (`python -m pipeline train diffpure_small`). It can remove noise, but it
cannot generate images.
"""

from dataclasses import dataclass

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

from metric_robustness.defences.diffusion_adapter import DiffusionPurification, Prediction, log_posterior_variance


@dataclass(frozen=True)
class DiffPureSmall(DiffusionPurification):
    weights = ("weights/diffpure_small.safetensors",)
    small = True
    cost = "heavy"
    presets = {"t10": {"t": 10}, "t20": {"t": 20}, "t30": {"t": 30}, "t50": {"t": 50}}
    licence = "the project's; photographs of unrestricted use; diffusers: Apache-2.0"
    multiple = 4

    @classmethod
    def untrained(cls) -> nn.Module:
        network: nn.Module = UNet2DModel(
            block_out_channels=(32, 48, 64),
            layers_per_block=1,
            down_block_types=("DownBlock2D",) * 3,
            up_block_types=("UpBlock2D",) * 3,
            norm_num_groups=16,
            add_attention=False,
        )
        return network

    def predict(self, network: nn.Module, noisy: Tensor, step: int) -> Prediction:
        return Prediction(network(noisy, step).sample, torch.tensor(log_posterior_variance(step)).to(noisy))
