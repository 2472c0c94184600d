"""AMI-FGSM: momentum sign steps within a radius that adapts to the image's quality.

Sang et al. On the generation of adversarial samples for image quality assessment. 2022.
https://doi.org/10.2139/ssrn.4112969
The radius is k / NIQE of the clear image, so the attack changes a good image more than a bad one. eps is 1 because
nothing else bounds the change. At NIQE 4 the default k = 1 allows a change of 64/255; `matched` allows 8/255 (exactly
1/32), which is near the budget of the other attacks. `published` does what the base benchmark's code does: that code
has no NIQE and is therefore MI-FGSM. Its k is so large that eps bounds every image. An image whose NIQE is not a
positive number has radius 0: the attack returns it unchanged.
"""

from dataclasses import dataclass

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective, per_image
from metric_robustness.attacks.mifgsm import climb


@dataclass(frozen=True)
class AMIFGSM(Attack):
    access = "white"
    family = "sign"
    suite = "base"
    formula = (
        "r = min(k / NIQE(x), eps); g ← decay·g + ∇J(y); y ← clip(y + (r / steps)·sign g) to r and [0, 1], from y = x, "
        "g = 0"
    )
    differs = (
        "the radius is the page's, 1 / NIQE. The published code has no NIQE: its radius is eps 10/255 for all images, "
        "which makes it MI-FGSM (variant published). As 1 / NIQE is far more than other attacks may change, variant "
        "matched is comparable with them. An image whose NIQE is not positive stays as it is."
    )
    needs = ("niqe",)
    variants = {"matched": {"k": 0.125}, "published": {"k": 1e9, "eps": 0.0392156862745098}}

    eps: float = 1.0
    k: float = 1.0
    steps: int = 10
    decay: float = 1.0  # nu: the share of the earlier gradients that each step keeps
    normalise: bool = False

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        niqe = objective.clear_score("niqe").to(images)
        radius = per_image((self.k / niqe).where(niqe > 0, 0).clamp(max=self.eps))  # 0 for NaN as well
        return climb(
            images, objective, radius, radius / self.steps, steps=self.steps, decay=self.decay, normalise=self.normalise
        )

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)
