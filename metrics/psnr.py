"""PSNR: peak signal-to-noise ratio, in dB over all three channels.

pyiqa adds 1e-8 to the mean squared error, so an image equal to its reference has 80 dB.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Psnr(PyiqaFullReference):
    model = "psnr"
    higher_is_better = True
    score_range = (10.0, 50.0)
    smallest = 1
    trained_on = "nothing"
    verified = "the authors' scores of 5 images"
