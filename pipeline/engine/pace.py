"""How long the rest of a run takes, by what a pass over an image took so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metric_robustness.pipeline.engine.progress import Event

AT_ONCE = 0.005  # seconds: what takes less was not computed but found finished, or was not needed
FIRST = 10  # seconds without an estimate, which would be of the start only


class Pace:
    """The seconds of a pass, by metric and by what it is for: clear scores or an attack.

    The first event of a metric holds its loading, so it does not count. An attack that did not begin yet is taken to be
    as fast as the fastest that did: attacks with few passes for an image have the image's own costs in each pass, and
    most of what lies ahead are attacks with many.
    """

    def __init__(self, now: float) -> None:
        self.begun = now
        self.ahead: Counter[tuple[str, str]] = Counter()  # passes over an image, by metric and attack
        self.passed: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.latest: dict[str, float] = {}  # metric -> time of its last event

    def begin(self, work: dict[tuple[str, str], int], now: float) -> None:
        """Begins with the passes that lie ahead, by metric and attack."""
        self.begun, self.ahead = now, Counter(work)

    def hear(self, event: Event, now: float) -> None:
        """Counts an event, at a time in seconds."""
        place = event.metric, event.what
        seconds = now - self.latest.get(event.metric, now)
        self.latest[event.metric] = now
        self.ahead[place] -= event.work
        if event.work and seconds > AT_ONCE:
            self.passed[place] += event.work
            self.spent[place] += seconds

    def left(self, now: float) -> float | None:
        """Returns the seconds left for one process; None while nothing can be said."""
        known = {place: self.spent[place] / passed for place, passed in self.passed.items()}
        metrics = {metric for metric, _ in known}
        fastest = {metric: min(pace for (of, _), pace in known.items() if of == metric) for metric in metrics}
        if not fastest or now - self.begun < FIRST:
            return None
        typical = sum(fastest.values()) / len(fastest)
        return sum(
            max(work, 0) * known.get(place, fastest.get(place[0], typical)) for place, work in self.ahead.items()
        )


def in_words(seconds: float) -> str:
    """Returns a time in the two largest units that it fills, such as 3 h 20 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
