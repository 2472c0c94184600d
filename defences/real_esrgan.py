"""Real-ESRGAN: enlarges the image fourfold by a compact network that repairs it, then makes it small again.

Wang, Xie, Dong, Shan. Real-ESRGAN: training real-world blind super-resolution with pure synthetic data. ICCVW, 2021.
https://arxiv.org/abs/2107.10833
The model is realesr-general-x4v3 at a denoising strength of 0.2, a weighted mean of its weights and those of its twin,
which removes no noise (deep network interpolation). The published program rounds the large image to 8 bits and samples
it by Lanczos interpolation without antialiasing; here antialiased bicubic interpolation averages it.
"""

from dataclasses import dataclass

from torch import nn
from torch.nn.functional import interpolate

from metric_robustness.defences.base import DefenceNoise, Images
from metric_robustness.defences.network_adapter import NetworkDefence, State, read

STRENGTH = 0.2  # weight of the general model; its twin has the rest


@dataclass(frozen=True)
class RealEsrgan(NetworkDefence):
    weights = ("hub/checkpoints/realesr-general-x4v3.pth", "hub/checkpoints/realesr-general-wdn-x4v3.pth")
    cost = "heavy"
    gpu_memory = 8
    licence = "BSD-3-Clause (xinntao/Real-ESRGAN)"

    @classmethod
    def untrained(cls) -> nn.Module:
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1), nn.PReLU(64)]
        for _ in range(32):
            layers += [nn.Conv2d(64, 64, 3, padding=1), nn.PReLU(64)]
        return nn.Sequential(*layers, nn.Conv2d(64, 3 * 4**2, 3, padding=1), nn.PixelShuffle(4))

    @classmethod
    def state(cls) -> State:
        general, twin = (read(file)["params"] for file in cls.weights)
        mixed = {name: STRENGTH * value + (1 - STRENGTH) * twin[name] for name, value in general.items()}
        return {name.removeprefix("body."): value for name, value in mixed.items()}

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        large = self.network(images)(images) + interpolate(images, scale_factor=4, mode="nearest")
        return interpolate(large.clamp(0, 1), size=images.shape[2:], mode="bicubic", antialias=True).clamp(0, 1)
