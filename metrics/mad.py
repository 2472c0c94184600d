"""MAD: most apparent distortion, detection blended with appearance.

Larson, Chandler: Most apparent distortion: full-reference image quality assessment and the role of strategy,
Journal of Electronic Imaging 19(1), 2010. https://doi.org/10.1117/1.3267105
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Mad(PyiqaFullReference):
    model = "mad"
    higher_is_better = False
    score_range = (0.0, 250.0)
    smallest = 64
    cost = "heavy"
    trained_on = "nothing"
    verified = "the authors' score of 1 image"
