"""Small DnCNN: a network that predicts the noise in an image, which is then subtracted.

Zhang, Zuo, Chen, Meng, Zhang. Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising.
IEEE TIP 26(7), 2017. https://arxiv.org/abs/1608.03981
The paper's blind denoiser with 8 layers of 32 channels instead of 20 of 64. The project trained it for sigmas up to
25/255: `python -m pipeline train dncnn_small`.
"""

from dataclasses import dataclass

from torch import nn

from metric_robustness.defences.base import DefenceNoise, Images
from metric_robustness.defences.network_adapter import NetworkDefence


@dataclass(frozen=True)
class DnCnnSmall(NetworkDefence):
    weights = ("weights/dncnn_small.safetensors",)
    small = True
    verified = "photographs held out: noise of 15/255 from 24.7 to 33.8 dB"
    licence = "the project's; photographs of unrestricted use"

    @classmethod
    def untrained(cls) -> nn.Module:
        wide, layers = 32, 8
        inner: list[nn.Module] = []
        for _ in range(layers - 2):
            inner += [nn.Conv2d(wide, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
        first, last = nn.Conv2d(3, wide, 3, padding=1), nn.Conv2d(wide, 3, 3, padding=1)
        return nn.Sequential(first, nn.ReLU(), *inner, last)

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        return self.denoised(images)

    def denoised(self, images: Images) -> Images:
        """Returns the images without what the network takes for noise, (N, 3, H, W) in [0, 1]."""
        denoised: Images = images - self.network(images)(images)
        return denoised.clamp(0, 1)
