"""URanker: transformer that ranks enhanced underwater photographs.

Guo et al.: Underwater ranker: learn which is better and how to be better, AAAI 2023. https://arxiv.org/abs/2208.06857
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Uranker(PyiqaNoReference):
    model = "uranker"
    higher_is_better = True
    score_range = (-1.0, 2.0)
    trained_on = "URankerSet (underwater)"
    weights = ("hub/pyiqa/URanker_ckpt-450eb36d.pth",)
