"""IL-NIQE: NIQE with colour, gradient and log-Gabor statistics, rated patch by patch.

Zhang, Zhang, Bovik: A feature-enriched completely blind image quality evaluator,
IEEE Transactions on Image Processing 24(8), 2015. https://doi.org/10.1109/TIP.2015.2426416
"""

from metrics.pyiqa_adapter import PyiqaNoReference


class Ilniqe(PyiqaNoReference):
    model = "ilniqe"
    higher_is_better = False
    score_range = (13.2, 220.6)
    cost = "heavy"
    weights = ("hub/pyiqa/ILNIQE_templateModel.mat",)
