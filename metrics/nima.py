"""NIMA: mean of a predicted distribution of aesthetic ratings, trained on AVA.

Talebi, Milanfar: NIMA: neural image assessment, IEEE Transactions on Image Processing 27(8), 2018.
https://arxiv.org/abs/1709.05424
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Nima(PyiqaNoReference):
    model = "nima"
    higher_is_better = True
    score_range = (3.71, 6.19)
    trained_on = "AVA"
    weights = (
        "huggingface/timm/inception_resnet_v2.tf_in1k/model.safetensors",
        "hub/pyiqa/NIMA_InceptionV2_ava-b0c77c00.pth",
    )
