"""NIQE as MATLAB ships it: distance of the image's statistics from MATLAB's own pristine ones.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer, IEEE Signal Processing Letters 20(3),
2013. https://doi.org/10.1109/LSP.2012.2227726
"""

from metric_robustness.metrics.niqe_official import NiqeOfficial


class NiqeMatlab(NiqeOfficial):
    model = "niqe_matlab"
    score_range = (0.0, 100.0)
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/niqe_matlab_params.mat",)
