"""Random noise: Gaussian noise of sigma 0.01 is added, then clipped.

Cohen, Rosenfeld, Kolter. Certified adversarial robustness via randomized smoothing. ICML, 2019.
https://arxiv.org/abs/1902.02918
"""

from dataclasses import dataclass

from metric_robustness.defences.base import Defence, DefenceNoise, Images


@dataclass(frozen=True)
class RandomNoise(Defence):
    random = True
    presets = {"s25": {"sigma": 0.025}, "s50": {"sigma": 0.05}}
    verified = "mean and deviation of what it adds"

    sigma: float = 0.01

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        return (images + self.sigma * noise.normal(images)).clamp(0, 1)
