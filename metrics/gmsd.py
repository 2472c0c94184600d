"""GMSD: standard deviation of the similarity of gradient magnitudes.

Xue, Zhang, Mou, Bovik: Gradient magnitude similarity deviation: a highly efficient perceptual image quality index,
IEEE Transactions on Image Processing 23(2), 2014. https://doi.org/10.1109/TIP.2013.2293423
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Gmsd(PyiqaFullReference):
    model = "gmsd"
    higher_is_better = False
    score_range = (0.0, 0.35)
    trained_on = "nothing"
    verified = "the authors' scores of 5 images"
