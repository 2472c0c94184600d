"""Compare2Score: a language model compares the image with five anchors, which places it between 0 and 100.

Zhu et al.: Adaptive image quality assessment via teaching large multimodal model to compare, NeurIPS 2024.
https://arxiv.org/abs/2405.19298

pyiqa converts the image to PIL, and an optimisation finds its place, so there is no gradient.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Compare2score(PyiqaNoReference):
    model = "compare2score"
    higher_is_better = True
    score_range = (0.0, 100.0)
    differentiable = False
    batch_dependent = True  # pyiqa takes one image at a time
    smallest = 32
    cost = "heavy"
    gpu_memory = 24
    trained_on = "KADID-10k, BID, LIVE Challenge, KonIQ-10k, LIVE, CSIQ"
    licence = "PolyForm Noncommercial 1.0.0; Compare2Score: MIT"
    weights = (
        "huggingface/q-future/Compare2Score/config.json",  # it loads the shards in the same folder too
        "huggingface/VQA-CityU/Compare2Score_1/tokenizer.model",
    )
