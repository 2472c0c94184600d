"""Down- and upscaling, bicubic: to half the size and back, by cubic curves through neighbours.

Guo, Rana, Cisse, van der Maaten. Countering adversarial images using input transformations. ICLR, 2018.
https://arxiv.org/abs/1711.00117
"""

from dataclasses import dataclass

from metric_robustness.defences.upscale_adapter import Upscale


@dataclass(frozen=True)
class UpscaleBicubic(Upscale):
    mode = "bicubic"
    verified = "Pillow's bicubic resampling"
