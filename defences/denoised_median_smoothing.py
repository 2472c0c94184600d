"""Denoised median smoothing (DMS-IQA): the median of the scores of noisy copies, each denoised before it is scored.

Shumitskaya, Pautov, Vatolin, Antsiferova. Stochastic BIQA: median randomized smoothing for certified blind image
quality assessment. CVIU 259, 2025. https://arxiv.org/abs/2411.12575
The paper trains a U-Net for each metric, with a ranking loss; here the project's small DnCNN takes the noise away.
Denoising belongs to what is smoothed, so the certificate is that of median smoothing.
"""

from dataclasses import dataclass

from metric_robustness.defences.base import Images, Smoothing
from metric_robustness.defences.dncnn_small import DnCnnSmall


@dataclass(frozen=True)
class DenoisedMedianSmoothing(Smoothing):
    cost = "heavy"  # a score takes as many passes of the metric as there are copies
    weights = ("weights/dncnn_small.safetensors",)
    small = True
    presets = {"n100": {"samples": 100}}
    verified = "photographs under its noise: from 19.2 to 28.1 dB; the certificate is median smoothing's"
    licence = "the project's; photographs of unrestricted use"

    def __post_init__(self) -> None:
        DnCnnSmall()  # a missing or damaged file is named before the first image

    def seen(self, copies: Images) -> Images:
        return DnCnnSmall().denoised(copies)
