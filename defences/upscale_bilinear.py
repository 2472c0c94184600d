"""Down- and upscaling, bilinear: to half the size and back, by averages of neighbours.

Guo, Rana, Cisse, van der Maaten. Countering adversarial images using input transformations. ICLR, 2018.
https://arxiv.org/abs/1711.00117
"""

from dataclasses import dataclass

from metric_robustness.defences.upscale_adapter import Upscale


@dataclass(frozen=True)
class UpscaleBilinear(Upscale):
    mode = "bilinear"
    verified = "Pillow's bilinear resampling"
