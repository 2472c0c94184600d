from __future__ import annotations

from pathlib import Path

import pytest
from gitlab_server import GitLabServer

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.store.open import open_store
from metric_robustness.pipeline.store.store import Place
from metric_robustness.pipeline.store.sync import Sync

PLACE = Place("unfinished", "0" * 32, "checkpoint")
REFUSALS = [(413, "Request Entity Too Large"), (400, "Duplicate package is not allowed"), (403, "insufficient")]


@pytest.mark.parametrize(("status", "says"), REFUSALS)
def test_a_store_that_refuses_the_copy_of_a_checkpoint_does_not_end_the_work(
    server: GitLabServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, says: str
) -> None:
    sync = Sync(open_store(server.api), every=0)
    file = tmp_path / "checkpoint"
    file.write_bytes(b"half")
    server.fail(1, status, method="PUT", message=says)
    sync.copy(PLACE, file)
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    file.write_bytes(b"more")
    sync.copy(PLACE, file)
    assert open_store(server.api).read(PLACE) == b"more"


@pytest.mark.parametrize(("status", "says"), REFUSALS[:2])
def test_a_registry_that_takes_no_such_file_is_told_with_what_to_change(
    server: GitLabServer, status: int, says: str
) -> None:
    server.fail(1, status, method="PUT", message=says)
    with pytest.raises(BenchError, match=rf"{PLACE} of \d+ bytes must be taken by .* {says}: let generic packages"):
        open_store(server.api).write(PLACE, b"whole")
