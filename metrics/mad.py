"""MAD: most apparent distortion, detection blended with appearance.

Larson, Chandler: Most apparent distortion: full-reference image quality assessment and the role of strategy,
Journal of Electronic Imaging 19(1), 2010. https://doi.org/10.1117/1.3267105
"""

import math

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.mad_adapter import appearance, detection

STEEPNESS, BEND = math.exp(-2.55 / 3.35), 1 / (math.log(10) * 3.35)  # of the blend


class Mad(FullReference):
    """Computes what pyiqa does, in float64: each colour channel is an image of its own."""

    higher_is_better = False
    score_range = (0.0, 250.0)
    smallest = 64
    cost = "heavy"  # nearly a second for a gradient: the demo, which takes all light ones, would take minutes more
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' score of 1 image"

    def score(self, images: Images, references: Images) -> Scores:
        x, y = (255 * finite_gradient(each).double() for each in (images, references))
        seen, changed = detection(x, y), appearance(x, y)
        share = 1 / (1 + STEEPNESS * seen**BEND)
        return (changed ** (1 - share) * seen**share).mean(1)
