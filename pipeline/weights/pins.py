"""Taking pins back: the next download of a file whose sha256 is not known is then trusted as the first one was."""

from __future__ import annotations

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.weights import sums
from metric_robustness.pipeline.weights.declared import choose


def unpin(names: list[str]) -> list[str]:
    """Removes the pins of files; returns which. The files stay.

    Args:
        names: Entries, declared files, or files as the pins name them, such as the parts of a whole repository.

    Raises:
        BenchError: If a name is none of these, none of the files is pinned, or a line of the pins is damaged.
    """
    pins = sums.read(sums.pins_file())
    wanted = {name for name in names if name in pins}
    for need in choose([name for name in names if name not in pins]) if wanted != set(names) else []:
        beside = need.name.rpartition("/")[0] if need.weight.whole_repository else need.name
        wanted |= {pin for pin in pins if pin == need.name or pin.startswith(f"{beside}/")}
    if not wanted:
        raise BenchError(
            f"{', '.join(names)} must have a pin; there is none in {sums.pins_file()}: see the column sha256 of python "
            "-m pipeline weights list"
        )
    sums.forget(sums.pins_file(), wanted)
    return sorted(wanted)
