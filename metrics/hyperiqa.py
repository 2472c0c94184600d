"""HyperIQA: a network whose last layers are written by another for each image, trained on KonIQ-10k.

Su et al.: Blindly assess image quality in the wild guided by a self-adaptive hyper network, CVPR 2020.
https://openaccess.thecvf.com/content_CVPR_2020/html/Su_Blindly_Assess_Image_Quality_in_the_Wild_Guided_by_a_CVPR_2020_paper.html
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Hyperiqa(PyiqaNoReference):
    model = "hyperiqa"
    higher_is_better = True
    score_range = (0.259, 0.845)
    cost = "heavy"
    trained_on = "KonIQ-10k"
    licence = "PolyForm Noncommercial 1.0.0; HyperIQA: MIT"
    weights = (
        "huggingface/timm/resnet50.a1_in1k/model.safetensors",
        "hub/pyiqa/HyperIQA-resnet50-koniq10k-c96c41b1.pth",
    )
