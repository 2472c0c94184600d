"""DMM: distance of the singular values of VGG-16's features, patch by patch.

Chen, Zhu, Zhu, Wang, Pan, Wang: Debiased mapping for full-reference image quality assessment,
IEEE Transactions on Multimedia, 2025.

pyiqa declares it higher-is-better, but it is a distance: 0 between an image and itself. Patches with weak responses
have arbitrary singular vectors, whose gradient would not be finite; pyiqa stops it, so there is no gradient.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Dmm(PyiqaFullReference):
    model = "dmm"
    higher_is_better = False
    score_range = (0.0, 10.0)  # pyiqa states no upper bound
    differentiable = False
    smallest = 128
    cost = "heavy"
    trained_on = "ImageNet (features only)"
    weights = ("hub/checkpoints/vgg16-397923af.pth",)
