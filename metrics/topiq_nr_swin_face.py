"""TOPIQ for faces (Swin): attention from semantics down to distortions, trained on CGFIQA-40k.

Chen et al.: TOPIQ: a top-down approach from semantics to distortions for image quality assessment,
IEEE Transactions on Image Processing 33, 2024. https://arxiv.org/abs/2308.03060
Chen et al.: DSL-FIQA: assessing facial image quality via dual-set degradation learning and landmark-guided
transformer, CVPR 2024. https://arxiv.org/abs/2406.09622

The metric takes the whole image as an aligned face. pyiqa's own detection and cropping has no gradient, and it fails
where it finds no face.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class TopiqNrSwinFace(PyiqaNoReference):
    model = "topiq_nr_swin-face"
    options = {"align_crop_face": False}
    higher_is_better = True
    score_range = (0.0, 1.0)
    cost = "heavy"
    gpu_memory = 16
    trained_on = "CGFIQA-40k"
    weights = (
        "hub/checkpoints/swin_base_patch4_window12_384_22kto1k.pth",
        "hub/pyiqa/topiq_nr_gfiqa_swin-7bb80a60.pth",
        "hub/pyiqa/detection_Resnet50_Final.pth",
        "hub/pyiqa/parsing_parsenet.pth",
    )
