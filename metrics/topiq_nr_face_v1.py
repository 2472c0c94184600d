"""TOPIQ for faces, first version: attention from semantics down to distortions, trained on GFIQA-20k.

Chen et al.: TOPIQ: a top-down approach from semantics to distortions for image quality assessment,
IEEE Transactions on Image Processing 33, 2024. https://arxiv.org/abs/2308.03060
Su et al.: Going the extra mile in face image quality assessment: a novel database and model,
IEEE Transactions on Multimedia, 2023.

The metric takes the whole image as an aligned face. pyiqa's own detection and cropping has no gradient, and it fails
where it finds no face.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class TopiqNrFaceV1(PyiqaNoReference):
    model = "topiq_nr-face-v1"
    options = {"align_crop_face": False}
    higher_is_better = True
    score_range = (0.0, 1.0)
    cost = "heavy"
    trained_on = "GFIQA-20k"
    weights = (
        "huggingface/timm/resnet50.a1_in1k/model.safetensors",
        "hub/pyiqa/topiq_nr_gfiqa_res50-d76bf1ae.pth",
        "hub/pyiqa/detection_Resnet50_Final.pth",
        "hub/pyiqa/parsing_parsenet.pth",
    )
