"""FAST-VQA: a video transformer on fragments, patches of the original resolution from all over the frame.

Wu, Chen, Hou, Liao, Wang, Sun, Yan, Lin: FAST-VQA: efficient end-to-end video quality assessment with fragment
sampling, ECCV 2022. https://arxiv.org/abs/2207.02595

FAST-VQA-B: four clips of 32 frames spread over the video. The authors draw a patch's place within its cell at random;
here it is the middle. The range is three standard deviations on either side of the mean, both from the authors'
program.
"""

from torch import Tensor

from metric_robustness.metrics.base import Images, Scores, VideoMetric
from metric_robustness.metrics.fragments_adapter import SPAN, Branch, clip_from, fragments, load_published
from metric_robustness.metrics.swin3d_adapter import FragmentSwin
from metric_robustness.metrics.weights_adapter import loading

CLIPS = 4  # per video


class FastVqa(VideoMetric):
    higher_is_better = True
    score_range = (-0.236, 0.015)
    cost = "heavy"
    gpu_memory = 16
    smallest = 32
    trained_on = "LSVQ; Kinetics-400 before"
    licence = "none stated (weights); BSD-3-Clause (torchvision's network)"
    weights = ("hub/checkpoints/FAST_VQA_B_1_4.pth",)

    def __init__(self) -> None:
        super().__init__()
        with loading("FAST-VQA", self.weights):
            self.branch = Branch(FragmentSwin())
            parts = {"fragments_backbone": "branch.backbone", "vqa_head": "branch.head"}
            load_published(self, self.weights[0], parts)

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, 150528) pixels of the frames' fragments."""
        return fragments(frames).flatten(1)

    def pool(self, features: Tensor) -> Scores:
        length = features.shape[1]
        between = max(length - SPAN + 1, 0) / CLIPS
        clips = [clip_from(int((i + 0.5) * between), length) for i in range(CLIPS)]
        return self.branch.rate(features, clips)
