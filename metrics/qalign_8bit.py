"""Q-Align: a language model's expected choice among five words for quality, with weights in 8 bits.

Wu et al.: Q-Align: teaching LMMs for visual scoring via discrete text-defined levels, ICML 2024.
https://arxiv.org/abs/2312.17090
"""

from metric_robustness.metrics.qalign_adapter import Qalign


class Qalign8bit(Qalign):
    model = "qalign_8bit"
    gpu_memory = 32
