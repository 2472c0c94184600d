"""PIQE: share and strength of visibly distorted blocks.

Venkatanath, Praneeth, Chandrasekhar, Channappayya, Medasani: Blind image quality evaluation using perception based
features, National Conference on Communications 2015. https://doi.org/10.1109/NCC.2015.7084843

Blocks are counted with thresholds: there is no gradient.
"""

from metrics.pyiqa_adapter import PyiqaNoReference


class Piqe(PyiqaNoReference):
    model = "piqe"
    higher_is_better = False
    score_range = (0.0, 100.0)
    differentiable = False
