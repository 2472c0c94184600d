"""VMAF NEG v0.6.1 of clips: as VMAF, but nothing is gained by enhancing details.

Li, Swanson, Bampis, Krasula, Aaron: Toward a better quality metric for the video community, Netflix 2020.
https://netflixtechblog.com/toward-a-better-quality-metric-for-the-video-community-7ed94e752a30

Computed in floating point, without clipping scores, from the luma of BT.601, or BT.709 from 720 lines on.
"""

from metric_robustness.metrics.vmaf_adapter import VmafOfClips


class VmafNegVideo(VmafOfClips):
    higher_is_better = True
    score_range = (0.0, 100.0)
    smallest = 64
    trained_on = "NFLX"
    licence = "BSD-2-Clause-Patent (model)"
    weights = ("hub/checkpoints/vmaf_v0.6.1-507428d3.npz",)
    gain = 1.0
