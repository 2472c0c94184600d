"""VSI: similarity of gradients and colour, weighted by visual saliency.

Zhang, Shen, Li: VSI: a visual saliency-induced index for perceptual image quality assessment,
IEEE Transactions on Image Processing 23(10), 2014. https://doi.org/10.1109/TIP.2014.2346028
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Vsi(PyiqaFullReference):
    model = "vsi"
    higher_is_better = True
    score_range = (0.7, 1.0)
    trained_on = "nothing"
    verified = "the authors' scores of 5 images"
