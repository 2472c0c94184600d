"""PSNR of the luma alone, in dB.

80 dB for an image whose luma equals its reference's: pyiqa adds 1e-8 to the mean squared error.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Psnry(PyiqaFullReference):
    model = "psnry"
    higher_is_better = True
    score_range = (0.0, 60.0)
    trained_on = "nothing"
    verified = "its formula, on 5 images"
