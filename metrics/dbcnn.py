"""DBCNN: products of the features of two networks, for distortion and for content, trained on KonIQ-10k.

Zhang, Ma, Yan, Deng, Wang: Blind image quality assessment using a deep bilinear convolutional neural network,
IEEE Transactions on Circuits and Systems for Video Technology 30(1), 2020. https://arxiv.org/abs/1907.02665
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Dbcnn(PyiqaNoReference):
    model = "dbcnn"
    higher_is_better = True
    score_range = (0.267, 0.836)
    smallest = 16
    cost = "heavy"
    trained_on = "KonIQ-10k"
    licence = "PolyForm Noncommercial 1.0.0; DBCNN: MIT"
    weights = (
        "hub/checkpoints/vgg16-397923af.pth",
        "hub/pyiqa/DBCNN_scnn-7ea73d75.pth",
        "hub/pyiqa/DBCNN_KonIQ10k-2de81c0a.pth",
    )
