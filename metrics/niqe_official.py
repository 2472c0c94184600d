"""NIQE with its authors' parameters: distance from the statistics of pristine photographs.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer, IEEE Signal Processing Letters 20(3),
2013. https://doi.org/10.1109/LSP.2012.2227726
"""

from metrics.pyiqa_adapter import PyiqaNoReference


class NiqeOfficial(PyiqaNoReference):
    model = "niqe"
    higher_is_better = False
    score_range = (1.41, 28.7)
    smallest = 96
    weights = ("hub/pyiqa/niqe_modelparameters.mat",)
