"""The contract of a video metric."""

from __future__ import annotations

import torch

from metric_robustness.metrics.base import Images, VideoMetric
from metric_robustness.pipeline.contract.base import photographs, promises, require
from metric_robustness.pipeline.contract.metric import TOLERANCE, MetricCheck

FRAMES, STEP = 4, 2  # frames of a clip, and the pixels that it moves from one frame to the next


class ClipCheck(MetricCheck):
    """The checks of one video metric, on photographs that move."""

    metric: VideoMetric

    def material(self, height: int, width: int) -> Images:
        """Returns clips in which a camera pans over photographs, (3, FRAMES, 3, height, width)."""
        wide = photographs(height, width + STEP * (FRAMES - 1)).to(self.device)
        return torch.stack([wide[..., STEP * i : STEP * i + width] for i in range(FRAMES)], dim=1)

    @promises("give a frame the same features whatever its neighbours", *MetricCheck.ROOT)
    def frames_independent(self) -> str:
        """Checks that the features of a frame do not depend on its neighbours, since clips are scored in parts."""
        clip, references = self.distorted[0], self.images[0] if self.metric.full_reference else None
        with torch.no_grad():
            together = self.metric.features(clip, references)
            parts = []
            for i in range(FRAMES):
                seen = slice(max(i - self.metric.reference_context, 0), i + 1)
                parts.append(self.metric.features(clip[i : i + 1], None if references is None else references[seen]))
            scores = self.metric.pool(torch.stack([together, torch.cat(parts)]))
        off = (scores[0] - scores[1]).abs().item() / self.span
        require(
            off <= TOLERANCE,
            f"scored frame by frame, a clip differs by {off:.2g} of the range: take what other frames give in `pool`, "
            "or declare reference_context",
        )
        return f"differs by {off:.1g} of the range"
