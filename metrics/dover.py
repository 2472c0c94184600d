"""DOVER: technical quality by a transformer on fragments, aesthetic quality by a ConvNeXt on small frames, fused.

Wu, Zhang, Liao, Chen, Hou, Wang, Sun, Yan, Lin: Exploring video quality assessment on user generated contents from
aesthetic and technical perspectives, ICCV 2023. https://arxiv.org/abs/2211.04894

The score is the authors' fused one; the range leaves out 5 % at each end. Where the authors draw patches and frames at
random, this metric takes the middle ones. Frames are shrunk without antialiasing, as torchvision did at that time.
"""

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Scores, VideoMetric
from metric_robustness.metrics.convnext3d_adapter import InflatedConvNeXt
from metric_robustness.metrics.fragments_adapter import (
    SPAN,
    Branch,
    clip_from,
    fragments,
    load_published,
    middles,
    shrunk,
    spread_clip,
)
from metric_robustness.metrics.swin3d_adapter import FragmentSwin
from metric_robustness.metrics.weights_adapter import loading

CLIPS = 3  # of the technical branch


class Dover(VideoMetric):
    higher_is_better = True
    score_range = (0.05, 0.95)
    cost = "heavy"
    gpu_memory = 16
    smallest = 32
    trained_on = "LSVQ"
    licence = "MIT (code and weights); BSD-3-Clause (torchvision's network)"
    weights = ("hub/checkpoints/DOVER-f4a42c0b.pth",)

    def __init__(self) -> None:
        super().__init__()
        with loading("DOVER", self.weights):
            self.technical, self.aesthetic = Branch(FragmentSwin()), Branch(InflatedConvNeXt())
            load_published(self, self.weights[0], {"_backbone": ".backbone", "_head": ".head"})

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, 301056) pixels of the frames' fragments, then of the frames at 224x224."""
        return torch.cat([fragments(frames).flatten(1), shrunk(frames).flatten(1)], dim=1)

    def pool(self, features: Tensor) -> Scores:
        length = features.shape[1]
        clips = [clip_from(start, length) for start in middles(length, CLIPS, SPAN)]
        patches, small = features.chunk(2, dim=2)
        technical = self.technical.rate(patches, clips)
        aesthetic = self.aesthetic.rate(small, [spread_clip(length)])
        # The authors' weights, and the means and deviations of their ratings of KoNViD-1k.
        return (0.6104 * (technical - 0.1107) / 0.07355 + 0.3896 * (aesthetic + 0.08285) / 0.03774).sigmoid()
