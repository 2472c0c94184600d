"""BRISQUE as MATLAB ships it: natural scene statistics of the luma, rated by MATLAB's own support vector machine.

Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain,
IEEE Transactions on Image Processing 21(12), 2012. https://doi.org/10.1109/TIP.2012.2214050
"""

from metric_robustness.metrics.brisque import Brisque


class BrisqueMatlab(Brisque):
    model = "brisque_matlab"
    score_range = (0.0, 100.0)
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/brisque_matlab.mat",)

    farthest = 43.4582
