"""MS-SSIM: structural similarity at five scales.

Wang, Simoncelli, Bovik: Multiscale structural similarity for image quality assessment, Asilomar Conference on Signals,
Systems and Computers 2003. https://doi.org/10.1109/ACSSC.2003.1292216
"""

import torch
from torch.nn.functional import avg_pool2d

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.pixels_adapter import luma, rounded
from metric_robustness.metrics.ssim import similarity

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest scale first
LEAST = 1e-12  # least similarity: a power of 0 has no gradient


class MsSsim(FullReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 161  # the window of 11 pixels must fit into the fifth scale, 1/16
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        x, y = rounded(luma(images)), rounded(luma(references))
        score = torch.ones(len(x), dtype=x.dtype, device=x.device)
        for exponent in EXPONENTS[:-1]:
            score = score * similarity(x, y)[1].clamp(min=LEAST) ** exponent
            odd = (x.shape[2] % 2, x.shape[3] % 2)
            x, y = avg_pool2d(x, 2, padding=odd), avg_pool2d(y, 2, padding=odd)
        return score * similarity(x, y)[0].clamp(min=LEAST) ** EXPONENTS[-1]
