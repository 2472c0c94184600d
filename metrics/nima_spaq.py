"""NIMA: InceptionResNetV2 with one score as its head, trained on SPAQ.

Talebi, Milanfar: NIMA: neural image assessment, IEEE Transactions on Image Processing 27(8), 2018.
https://arxiv.org/abs/1709.05424
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class NimaSpaq(PyiqaNoReference):
    model = "nima-spaq"
    higher_is_better = True
    score_range = (0.0, 1.0)
    trained_on = "SPAQ"
    weights = (
        "huggingface/timm/inception_resnet_v2.tf_in1k/model.safetensors",
        "hub/pyiqa/NIMA-spaq-46a7fcb7.pth",
    )
