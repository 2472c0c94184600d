"""MPRNet: a denoiser of three stages, trained on the real noise of smartphones (SIDD).

Zamir, Arora, Khan, Hayat, Khan, Yang, Shao. Multi-stage progressive image restoration. CVPR, 2021.
https://arxiv.org/abs/2102.02808
Mirrored borders pad the images to multiples of 8.
"""

from dataclasses import dataclass

from torch import nn

from metric_robustness.defences.base import DefenceNoise, Images
from metric_robustness.defences.network_adapter import NetworkDefence, State, padded, read
from metric_robustness.defences.networks.mprnet import MprNet


@dataclass(frozen=True)
class Mprnet(NetworkDefence):
    weights = ("hub/checkpoints/mprnet_denoising.pth",)
    cost = "heavy"
    gpu_memory = 16
    licence = "academic use only (swz30/MPRNet)"

    @classmethod
    def untrained(cls) -> nn.Module:
        return MprNet()

    @classmethod
    def state(cls) -> State:
        # Training on several GPUs wrote the names with a prefix.
        saved = read(cls.weights[0])["state_dict"]
        return {name.removeprefix("module."): value for name, value in saved.items()}

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        height, width = images.shape[2:]
        restored: Images = self.network(images)(padded(images, 8))
        return restored[..., :height, :width].clamp(0, 1)
