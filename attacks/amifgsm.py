"""AMI-FGSM: momentum sign steps within a radius that adapts to the image's quality.

Sang et al. On the generation of adversarial samples for image quality assessment. 2022.
https://doi.org/10.2139/ssrn.4112969
The radius is k / NIQE of the clear image: the better it looks, the more it is changed. Nothing else bounds the change,
so eps is 1. The default k = 1 allows 64/255 at NIQE 4; `matched` allows 8/255 there (1/32, to be exact), near the other
attacks' budget. `published` is what the base benchmark's code does: it has no NIQE, which makes it MI-FGSM; here k is
so large that eps bounds every image. An image whose NIQE is not a positive number has no radius and is left as it is.
"""

from dataclasses import dataclass

from attacks.base import Attack, Budget, Images, Noise, Objective, per_image
from attacks.mifgsm import climb


@dataclass(frozen=True)
class AMIFGSM(Attack):
    access = "white"
    family = "sign"
    suite = "base"
    needs = ("niqe",)
    variants = {"matched": {"k": 0.125}, "published": {"k": 1e9, "eps": 0.0392156862745098}}

    eps: float = 1.0
    k: float = 1.0
    steps: int = 10
    decay: float = 1.0  # nu: what remains of the earlier gradients at each step
    normalise: bool = False

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        niqe = objective.clear_score("niqe").to(images)
        radius = per_image((self.k / niqe).where(niqe > 0, 0).clamp(max=self.eps))  # NaN > 0 is false
        return climb(
            images, objective, radius, radius / self.steps, steps=self.steps, decay=self.decay, normalise=self.normalise
        )

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)
