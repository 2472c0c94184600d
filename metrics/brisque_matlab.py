"""BRISQUE as MATLAB ships it: natural scene statistics of the luma, rated by MATLAB's own support vector machine.

Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain,
IEEE Transactions on Image Processing 21(12), 2012. https://doi.org/10.1109/TIP.2012.2214050
"""

import torch
from torch import Tensor

from metric_robustness.metrics.brisque import Brisque
from metric_robustness.metrics.brisque_adapter import as_patch, interleaved, products
from metric_robustness.metrics.natural_scenes_adapter import normalise
from metric_robustness.metrics.patch_fits_adapter import asymmetric


class BrisqueMatlab(Brisque):
    model = "brisque_matlab"
    score_range = (0.0, 100.0)
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/brisque_matlab.mat",)

    SCALE = 0.321  # of the features

    def features(self, levels: Tensor) -> Tensor:
        structure = normalise(levels)
        shape, mean, left, right, factor = products(structure)
        whole = asymmetric(as_patch(structure)).flatten(1)
        return torch.cat([whole, interleaved(shape, mean, left * factor, right * factor)], dim=1)

    def scaled(self, features: Tensor) -> Tensor:
        return features / self.SCALE
