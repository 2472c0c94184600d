"""What makes a robustness number doubtful: the flags, and what each of them means in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple


class Explanation(NamedTuple):
    """What a flag means, for a reader who sees it for the first time."""

    title: str
    text: str  # one paragraph


@dataclass(frozen=True)
class Flag:
    """A reason to doubt a number."""

    code: str  # a key of EXPLANATIONS
    text: str  # what was seen, with its numbers
    attacks: tuple[str, ...] = ()  # "attack" or "attack:variant" that it concerns; none: the metric itself

    def __str__(self) -> str:
        """Returns the text, after the attacks that it concerns."""
        return f"{', '.join(self.concerned)}: {self.text}" if self.attacks else self.text

    @property
    def concerned(self) -> list[str]:
        """Returns the attacks as people read them: of one with many variants how many there are, not each."""
        names = [setting.partition(":")[0] for setting in self.attacks]
        many = {name: count for name, count in Counter(names).items() if count > 2}
        told = (
            f"{name} in {many[name]} settings" if name in many else setting
            for name, setting in zip(names, self.attacks, strict=True)
        )
        return list(dict.fromkeys(told))


EXPLANATIONS: Mapping[str, Explanation] = MappingProxyType(
    {
        "zero_gradients": Explanation(
            "Zero gradients",
            "On more than 1 % of the images the metric's gradient was zero in every pixel, as behind a saturated "
            "sigmoid or a rounding. A gradient attack then does not know where to go, and a small gain says nothing "
            "about robustness.",
        ),
        "broken_gradients": Explanation(
            "Gradients that are not finite",
            "On more than 1 % of the images the metric's gradient held NaN or infinity, as after a root or a division "
            "at zero. The attack went on without those values, so a stronger attack is likely to exist.",
        ),
        "disconnected_gradients": Explanation(
            "Gradients disconnected from the score",
            "The gradient that attacks follow is not the slope of the score: part of the computation is detached, "
            "rounded or redone without gradient. Gradient attacks see only the connected part, and the metric looks "
            "more robust than it is.",
        ),
        "masked_gradients": Explanation(
            "Masked gradients",
            "An attack that only asks for scores raised the metric more than every attack that follows gradients. "
            "Knowing more should never hurt, so the gradients mislead, and the gains of gradient attacks are too "
            "small.",
        ),
        "random_scores": Explanation(
            "Randomised scores",
            "The same image scored twice gave two scores. Gains contain that noise, and an attack cannot aim at a "
            "moving target: robustness by randomness disappears once an attack averages over it.",
        ),
        "batch_dependent_scores": Explanation(
            "Scores that depend on the batch",
            "An image got another score beside other images than alone. What an attack found in one batch may not "
            "hold in another, and the numbers depend on how images were grouped.",
        ),
        "one_step_beats_iterative": Explanation(
            "One step beats many",
            "An attack of a single gradient step raised the score more than every attack of the same size that takes "
            "many steps. Many steps can do all that one can, so they got stuck, and their gains are too small.",
        ),
        "gain_not_growing": Explanation(
            "The gain does not grow with the allowed change",
            "A larger change includes every smaller one, so an attack's gain must grow with eps. Here a larger change "
            "gained no more than a smaller one: the attack is stuck, or its gradients lead nowhere.",
        ),
        "extreme_not_reached": Explanation(
            "Without a limit the score still does not reach its best",
            "Allowed to change an image at will, an attack should reach the best score of ordinary photographs. It "
            "did not, so the gradients do not lead there, and gains within a limit are too small as well.",
        ),
        "noise_as_strong": Explanation(
            "No better than noise",
            "Uniform noise of the same size, which knows nothing of the metric, raised the score as far as the "
            "strongest attack did. The attacks have shown nothing beyond what any change of that size does.",
        ),
        "fit_without_effect": Explanation(
            "A pattern without effect",
            "A universal pattern changes no channel by a whole level, so that rounding to 8 bits removes it, or its "
            "fit took fewer than 100 steps. A small gain then says nothing about the metric.",
        ),
        "far_from_range": Explanation(
            "Scores far outside the range",
            "An image's score lies over a hundred ranges away from the metric's range. The metric breaks down there, "
            "or its declared range is in another unit, and the mean gain is that of a few images.",
        ),
        "fewer_images": Explanation(
            "Fewer images than asked",
            "Some of the images that were asked for have no usable row. The gain is a mean over fewer images than "
            "that of other metrics, and its interval is wider.",
        ),
        "rows_missing": Explanation(
            "Rows missing",
            "Images that have no usable row are named, with the reason: excluded from the data set, failed, not finite "
            "or contradictory.",
        ),
        "rows_excluded": Explanation(
            "Rows excluded",
            "The file holds rows that count elsewhere or more than once, such as repeated rows or rows of a defended "
            "metric. They are not part of this number.",
        ),
    }
)
