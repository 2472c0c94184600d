"""VIF: visual information fidelity, in the wavelet domain.

Sheikh, Bovik: Image information and visual quality, IEEE Transactions on Image Processing 15(2), 2006.
https://doi.org/10.1109/TIP.2005.859378
"""

from metrics.pyiqa_adapter import PyiqaFullReference


class Vif(PyiqaFullReference):
    model = "vif"
    higher_is_better = True
    score_range = (0.0, 1.0)
    batch_dependent = True
    smallest = 33
