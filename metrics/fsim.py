"""FSIMc: similarity of phase congruency, gradients and colour.

Zhang, Zhang, Mou, Zhang: FSIM: a feature similarity index for image quality assessment,
IEEE Transactions on Image Processing 20(8), 2011. https://doi.org/10.1109/TIP.2011.2109730
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Fsim(PyiqaFullReference):
    model = "fsim"
    higher_is_better = True
    score_range = (0.5, 1.0)
    trained_on = "nothing"
    verified = "the authors' scores of 5 images"
