"""Down- and upscaling, nearest: to half the size and back, by the pixel next to each place, without averaging.

Guo, Rana, Cisse, van der Maaten. Countering adversarial images using input transformations. ICLR, 2018.
https://arxiv.org/abs/1711.00117
"""

from dataclasses import dataclass

from metric_robustness.defences.upscale_adapter import Upscale


@dataclass(frozen=True)
class UpscaleNearest(Upscale):
    mode = "nearest-exact"
    verified = "arithmetic on pixel indices"
