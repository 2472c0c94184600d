"""Q-Align: a language model's expected choice among five words for quality, in 16-bit numbers.

Wu et al.: Q-Align: teaching LMMs for visual scoring via discrete text-defined levels, ICML 2024.
https://arxiv.org/abs/2312.17090
"""

from metric_robustness.metrics.qalign_adapter import Qalign


class OneAlign(Qalign):
    model = "qalign"
    gpu_memory = 40
