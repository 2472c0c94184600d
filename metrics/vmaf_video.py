"""VMAF v0.6.1 of clips: detail losses, information fidelity and motion, rated by a support vector machine.

Li, Aaron, Katsavounidis, Moorthy, Manohara: Toward a practical perceptual video quality metric, Netflix 2016.
https://netflixtechblog.com/toward-a-practical-perceptual-video-quality-metric-653f208b9652

Computed in floating point, without clipping scores, from the luma of BT.601, or BT.709 from 720 lines on.
"""

from metric_robustness.metrics.vmaf_adapter import VmafOfClips


class VmafVideo(VmafOfClips):
    higher_is_better = True
    score_range = (0.0, 100.0)
    smallest = 64
    trained_on = "NFLX"
    licence = "BSD-2-Clause-Patent (model)"
    verified = "the authors' score of a clip"
    weights = ("hub/checkpoints/vmaf_v0.6.1-507428d3.npz",)
