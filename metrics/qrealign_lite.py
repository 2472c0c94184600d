"""Q-ReAlign (lite): a language model's expected choice among five words for quality, 4 billion parameters.

The recipe of Q-Align on a newer model:
Wu et al.: Q-Align: teaching LMMs for visual scoring via discrete text-defined levels, ICML 2024.
https://arxiv.org/abs/2312.17090

pyiqa converts the image to PIL, so there is no gradient.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class QrealignLite(PyiqaNoReference):
    model = "qrealign-lite"
    higher_is_better = True
    score_range = (0.0, 1.0)
    differentiable = False
    smallest = 32
    cost = "heavy"
    gpu_memory = 16
    trained_on = "not stated by pyiqa"
    weights = ("huggingface/q-future/Q-ReAlign-Lite-4B/config.json",)  # it loads the shards in the same folder too
