"""NIMA (VGG-16): mean of a predicted distribution of aesthetic ratings, trained on AVA.

Talebi, Milanfar: NIMA: neural image assessment, IEEE Transactions on Image Processing 27(8), 2018.
https://arxiv.org/abs/1709.05424
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class NimaVgg16Ava(PyiqaNoReference):
    model = "nima-vgg16-ava"
    higher_is_better = True
    score_range = (1.0, 10.0)
    trained_on = "AVA"
    weights = (
        "huggingface/timm/vgg16.tv_in1k/model.safetensors",
        "hub/pyiqa/NIMA_VGG16_ava-dc4e8265.pth",
    )
