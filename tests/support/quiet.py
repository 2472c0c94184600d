"""What hears of a run's progress in a test: it shows nothing, and wants every cell to end well."""

from __future__ import annotations

from pipeline.engine.job import Event


class Quiet:
    """A `pipeline.engine.run.Listener`."""

    def begin(self, work: dict[str, int], cells: int, done: int) -> None:
        """Hears what there is to do."""

    def hear(self, event: Event) -> None:
        """Fails where a cell did."""
        assert event.status in {"", "done"}, event.reason
