"""MetaIQA: a network that learned to learn distortions, tuned on LIVE in the wild.

Zhu, Li, Wu, Dong, Shi: MetaIQA: deep meta-learning for no-reference image quality assessment, CVPR 2020.
https://arxiv.org/abs/2004.05508
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Metaiqa(PyiqaNoReference):
    model = "metaiqa"
    higher_is_better = True
    score_range = (0.161, 0.757)
    trained_on = "TID2013, KADID-10k, LIVE Challenge"
    weights = ("hub/pyiqa/Metaiqa_livec.pth",)
