"""LAION aesthetics: a linear rating of CLIP's embedding, trained on SAC, LAION-Logos and AVA.

Schuhmann: improved aesthetic predictor, 2022. https://github.com/christophschuhmann/improved-aesthetic-predictor
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class LaionAes(PyiqaNoReference):
    model = "laion_aes"
    higher_is_better = True
    score_range = (1.0, 10.0)
    cost = "heavy"
    gpu_memory = 16
    trained_on = "SAC, LAION-Logos, AVA"
    verified = "pyiqa's comparison with the authors' scores"
    weights = (
        "clip/ViT-L-14.pt",
        "hub/pyiqa/sac+logos+ava1-l14-linearMSE.pth",
    )
