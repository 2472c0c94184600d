"""What changed since another commit, and which of its files are written to the disk to compare."""

from __future__ import annotations

import io
import subprocess
import tarfile

import pytest
from scratch import BRIGHTNESS, ROOT

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.ci.changes import changed_since, write_members
from metric_robustness.pipeline.errors import BenchError


@pytest.fixture
def archive():
    """Returns a function that makes an archive of files, given as contents, and links, given as (kind, target)."""

    def make(members):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as writing:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                if isinstance(content, bytes):
                    member.size = len(content)
                    writing.addfile(member, io.BytesIO(content))
                else:
                    member.type, member.linkname = content
                    writing.addfile(member)
        packed.seek(0)
        return tarfile.open(fileobj=packed)

    return make


def written(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_fingerprints_cover_is_written_and_nothing_else(archive, tmp_path):
    members = {"metrics/psnr.py": b"1", "defences/networks/unet.py": b"2", "requirements.lock": b"3", "README.md": b"4"}
    write_members(archive(members), tmp_path)
    assert written(tmp_path) == {name: content for name, content in members.items() if name != "README.md"}


@pytest.mark.parametrize("name", ["metrics/../../evil.py", "attacks/.."])
def test_a_file_outside_the_folder_is_refused(archive, tmp_path, name):
    (tmp_path / "target").mkdir()
    with pytest.raises(BenchError, match="must lie in the checkout"):
        write_members(archive({name: b"1"}), tmp_path / "target")
    assert written(tmp_path) == {}


def test_an_absolute_path_is_not_covered(archive, tmp_path):
    write_members(archive({"/metrics/evil.py": b"1", f"{tmp_path}/evil.py": b"1"}), tmp_path / "target")
    assert written(tmp_path) == {}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
def test_a_link_is_followed_within_the_commit_only(archive, tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    inner = "other.py" if kind == tarfile.SYMTYPE else "metrics/other.py"
    members = {"metrics/other.py": b"1", "metrics/same.py": (kind, inner), "metrics/out.py": (kind, str(secret))}
    members |= {"metrics/up.py": (kind, "../../secret"), "metrics/loop.py": (tarfile.SYMTYPE, "loop.py")}
    write_members(archive(members), tmp_path / "target")
    assert written(tmp_path / "target") == {"metrics/other.py": b"1", "metrics/same.py": b"1"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_entries_elsewhere_are_not_of_this_clones_history(tmp_path, monkeypatch):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "brightness.py").write_text(BRIGHTNESS, encoding="utf-8")
    monkeypatch.setenv("METRIC_ROBUSTNESS_INCLUDE", str(tmp_path))
    assert "brightness" in lookup.entries("metrics")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "brightness" not in {change.entry.name for change in changed_since(head.stdout.strip())}
