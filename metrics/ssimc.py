"""SSIM of the three colour channels, averaged.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity,
IEEE Transactions on Image Processing 13(4), 2004. https://doi.org/10.1109/TIP.2003.819861
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Ssimc(PyiqaFullReference):
    model = "ssimc"
    higher_is_better = True
    cost = "heavy"  # ten times the time of ssim: five windowed sums in double precision
    score_range = (0.0, 1.0)
    smallest = 11
    trained_on = "nothing"
    verified = "scikit-image's, on 5 images"
