"""DMM: distance of the singular values of VGG-16's features, patch by patch.

Chen, Zhu, Zhu, Wang, Pan, Wang: Debiased mapping for full-reference image quality assessment,
IEEE Transactions on Multimedia, 2025.

pyiqa calls it higher-is-better; it is a distance, 0 between an image and itself. The singular vectors of patches where
little responds are arbitrary: what pyiqa stops, and would not be finite, is their gradient.
"""

from metrics.pyiqa_adapter import PyiqaFullReference


class Dmm(PyiqaFullReference):
    model = "dmm"
    higher_is_better = False
    score_range = (0.0, 10.0)  # pyiqa gives no upper end
    differentiable = False
    smallest = 128
    cost = "heavy"
    trained_on = "ImageNet (features only)"
    weights = ("hub/checkpoints/vgg16-397923af.pth",)
