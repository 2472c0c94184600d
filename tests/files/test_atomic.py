"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from metric_robustness.pipeline.errors import BenchError, Exit, TransientError
from metric_robustness.pipeline.files import (
    WRITING,
    append_line,
    digest,
    exclusive,
    file_digest,
    folder_lock,
    plain_errors,
    write_atomically,
)
from metric_robustness.pipeline.files.locks import LOCK


def test_writing_makes_folders_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "a" / "b" / "c.csv"
    for content in ("first", b"second", "drei Ä\n"):
        write_atomically(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert [file.name for file in path.parent.iterdir()] == ["c.csv"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "a.csv"
    write_atomically(path, "old")
    code = f"""
import resource
from pathlib import Path
from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_atomically(Path({str(path)!r}), "new" * 1000)
except TransientError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"the disk is full while writing {path}")
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "old"


def test_the_umask_is_respected(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a.csv", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o640


def test_a_name_as_long_as_may_be_is_written(tmp_path):
    write_atomically(tmp_path / ("n" * 255), "x")
    assert (tmp_path / ("n" * 255)).read_text() == "x"


def test_what_a_killed_process_was_writing_is_removed_and_what_is_being_written_is_not(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from metric_robustness.pipeline.files import write_atomically\n"
        "os.fsync = lambda _: print('writing', flush=True) or sys.stdin.read()\n"
        "write_atomically(Path(sys.argv[1]) / 'sub' / 'a.csv', 'new')\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "writing\n"
    with folder_lock(tmp_path):
        assert len(list((tmp_path / "sub").iterdir())) == 1
    other.send_signal(signal.SIGKILL)
    other.communicate()
    (tmp_path / f".recoded.x{WRITING}").mkdir()
    with folder_lock(tmp_path):
        assert not list((tmp_path / "sub").iterdir())
        assert [file.name for file in tmp_path.iterdir()] == [".work", "sub"] or len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_in_one_line(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    write_atomically(tmp_path / "a.csv", "x")
    for held in (folder_lock(tmp_path), exclusive(tmp_path / "lock")):
        with pytest.raises(BenchError, match="must lie on a file system with locks"), held:
            pass


def test_an_appended_line_is_there_at_once(tmp_path):
    path = tmp_path / "a" / "journal"
    append_line(path, "one")
    append_line(path, "two")
    assert path.read_text() == "one\ntwo\n"


def test_a_full_disk_can_be_tried_again():
    with pytest.raises(TransientError, match="disk is full while writing /dev/full: free some space") as error:
        append_line(Path("/dev/full"), "one")
    assert error.value.exit_code == Exit.TRANSIENT == 75


@pytest.mark.parametrize("folder", ["/sys/out", "/proc/out", f"/var/{'long' * 100}"])
def test_a_folder_that_cannot_be_written_to_is_a_wrong_call(folder):
    for write in (lambda: write_atomically(Path(folder) / "a.csv", "x"), lambda: append_line(Path(folder) / "a", "x")):
        with pytest.raises(BenchError, match=r"must be writable; got .*: choose another --out") as error:
            write()
        assert error.value.exit_code == Exit.USAGE


def test_a_folder_below_a_file_is_a_wrong_call(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="must lie below folders"):
        write_atomically(tmp_path / "file" / "a.csv", "x")
    with pytest.raises(BenchError, match="must lie below folders"), folder_lock(tmp_path / "file"):
        pass


def test_a_folder_is_held_by_one_process_and_freed_by_its_death(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom metric_robustness.pipeline.files import folder_lock\n"
        "with folder_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(TransientError, match=rf"another run \(process {other.pid}\)"), folder_lock(tmp_path):
        pass
    other.kill()
    other.communicate()
    with folder_lock(tmp_path):
        assert (tmp_path / LOCK).is_file()


def test_an_exclusive_part_can_be_entered_again_once_it_is_left(tmp_path):
    for _ in range(2):
        with exclusive(tmp_path / "deep" / "lock"):
            pass


@pytest.mark.parametrize(("held", "told"), [(0.2, ""), (2.5, "waiting for the other one\n")])
def test_who_waits_long_is_told_for_what(tmp_path, capsys, held, told):
    lock = tmp_path / "lock"
    other = exclusive(lock)
    other.__enter__()
    release = Timer(held, other.__exit__, (None, None, None))
    release.start()
    begun = time.monotonic()
    with exclusive(lock, waits_for="the other one"):
        assert time.monotonic() - begun > held / 2
    release.join()
    time.sleep(0 if told else 2.2)  # nothing comes later, either
    assert capsys.readouterr().err == told


def test_only_errors_of_the_file_system_are_rewritten(tmp_path):
    with pytest.raises(ZeroDivisionError), plain_errors(tmp_path):
        _ = 1 / 0


def test_a_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(b"abc") == file_digest(tmp_path / "a")
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
