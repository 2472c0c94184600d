"""stAdv: a flow field that moves pixels instead of changing their values.

Xiao, Zhu, Li, He, Liu, Song. Spatially transformed adversarial examples. ICLR, 2018. https://arxiv.org/abs/1801.02612
Each pixel of the adversarial image is read, bilinearly, where its flow points to in the clear one. A smooth flow is
hard to see though it changes pixel values much; so the attack sets no bound on the change of a pixel, and the
leaderboard ranks it apart. The paper runs L-BFGS until a classifier is fooled, and weighs the flow's roughness as a sum
over the image; here Adam takes a fixed number of steps, the roughness is a mean, so that
its weight means the same in every image size, and the best rounded image is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from metric_robustness.attacks.adam_adapter import Ascent
from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective
from metric_robustness.attacks.best_adapter import Best
from metric_robustness.attacks.flow_adapter import roughness, warped


@dataclass(frozen=True)
class StAdv(Attack):
    access = "white"
    family = "geometric"
    formula = (
        "y = x read at (i + f(i)), f a flow of at most `reach` pixels; f ← f + lr·adam(∂(J(y) - tau·R(f)) / ∂f), R the "
        "mean length of differences of neighbouring flows, from f = 0; the best rounded y"
    )
    differs = (
        "not on the page. The objective stands in the place of the paper's loss on a classifier; Adam in that of "
        "L-BFGS. No eps: a moved edge changes a pixel by any amount, so it is ranked apart."
    )

    eps: float = 1.0
    lr: float = 0.05  # pixels
    steps: int = 20
    tau: float = 0.1  # weight of the roughness in pixels; the gain has weight 1
    reach: float = 2.0  # pixels, the largest flow along each axis

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        best = Best(self, images, objective)
        for flow in self.flows(images, objective):
            best.offer(self.project(warped(images, flow), images))
        return best.images

    def flows(self, images: Images, objective: Objective) -> Iterator[Tensor]:
        """Yields the flow after each step, (N, 2, H, W) in pixels."""
        flow, ascent = images.new_zeros(len(images), 2, *images.shape[2:]), Ascent()
        for _ in range(self.steps):
            with torch.enable_grad():
                flow = flow.detach().requires_grad_()
                moved = warped(images, flow)
                towards = objective.gradient(moved.detach().clamp(0, 1))
                value = (moved * towards).sum() - self.tau * roughness(flow).sum()
                (gradient,) = torch.autograd.grad(value, flow)
            flow = (flow.detach() + self.lr * ascent.update(gradient)).clamp(-self.reach, self.reach)
            yield flow

    def budget(self) -> Budget:
        return Budget(queries=2 * self.steps + 1, gradients=self.steps)  # a flow's gradient, the next one's value
