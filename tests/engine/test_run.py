"""`python -m pipeline run` in a process of its own: killed, repeated, misled, and with metrics that break."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
from csv_lines import lines
from PIL import Image
from scratch import BRIGHTNESS, Tree

from metric_robustness.pipeline.data.images import decode, to_tensor

ATTACKS = "fgsm,ifgsm,noise"


def run(tree: Tree, out: Path, photos: Path, *options, metrics="brightness,distance", attacks=ATTACKS, **environment):
    arguments = ["--metrics", metrics, "--attacks", attacks, "--dataset", photos, "--out", out, *options]
    return tree.call("run", *arguments, **environment)


def cells(out: Path) -> dict[str, bytes]:
    """Returns the rows of every cell, as they stand on the disk."""
    found = (path for path in out.glob("*/*.csv") if path.parent.name != "images")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def written(out: Path) -> dict[str, int]:
    """Returns when each cell was written."""
    return {name: (out / name).stat().st_mtime_ns for name in cells(out)}


def rows(out: Path, cell: str) -> list[dict[str, str]]:
    return lines(out / f"{cell}.csv")


def stamp(out: Path, cell: str) -> dict:
    return json.loads((out / f"{cell}.json").read_text())


@pytest.fixture(scope="module")
def finished(laboratory, photos, tmp_path_factory):
    """Returns the folder of a run that nothing disturbed; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("finished") / "out"
    told = run(laboratory, out, photos)
    assert told.returncode == 0, told.stderr
    return out


@pytest.fixture
def copy(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_a_run_leaves_rows_stamps_and_tables(finished, photos):
    assert len(cells(finished)) == 6
    assert {"scores.csv", "leaderboard.md", "leaderboard.csv", "leaderboard.json"} <= {
        file.name for file in finished.iterdir()
    }
    found = rows(finished, "brightness/ifgsm")
    assert [row["image"] for row in found] == sorted(file.name for file in photos.iterdir())
    assert all(float(row["attacked"]) > float(row["clear"]) for row in found)
    assert all(float(row["linf"]) <= 10 / 255 + 1e-6 for row in found)
    assert {(row["queries"], row["gradients"]) for row in found} == {("10", "10")}
    about = stamp(finished, "brightness/ifgsm")
    assert (about["status"], about["rows"], about["datasets"][0]["excluded"]) == ("done", 6, {})
    assert about["attack"]["settings"]["eps"] == 10 / 255


def test_an_attack_lowers_a_score_where_lower_is_better(finished):
    assert all(float(row["attacked"]) < float(row["clear"]) for row in rows(finished, "distance/ifgsm"))


def test_a_second_run_finds_everything_done(finished, laboratory, photos):
    before = written(finished)
    told = run(laboratory, finished, photos)
    assert told.returncode == 0
    assert "0 cells to run, 6 up to date" in told.stderr
    assert written(finished) == before


def test_the_rows_are_the_same_bytes_in_another_run_and_in_parallel_processes(finished, laboratory, photos, tmp_path):
    told = run(laboratory, tmp_path / "again", photos, "--jobs", 2)
    assert told.returncode == 0, told.stderr
    assert cells(tmp_path / "again") == cells(finished)
    assert (tmp_path / "again" / "leaderboard.md").read_bytes() == (finished / "leaderboard.md").read_bytes()


@pytest.mark.parametrize("batch", [1, 2])
def test_the_batch_size_changes_no_result(finished, laboratory, photos, tmp_path, batch):
    assert run(laboratory, tmp_path, photos, "--batch", batch).returncode == 0
    for cell in ("brightness/fgsm", "brightness/ifgsm", "brightness/noise", "distance/ifgsm", "distance/noise"):
        low, high = stamp(finished, cell)["metric"]["score_range"]
        for one, other in zip(rows(tmp_path, cell), rows(finished, cell), strict=True):
            for column in ("clear", "attacked"):
                assert float(one[column]) == pytest.approx(float(other[column]), abs=1e-4 * (high - low))
            assert {**one, "clear": 0, "attacked": 0, "psnr": 0, "ssim": 0, "mse": 0} == {
                **other, "clear": 0, "attacked": 0, "psnr": 0, "ssim": 0, "mse": 0
            }  # fmt: skip


def test_a_run_killed_again_and_again_ends_in_the_same_bytes_and_repeats_no_finished_work(laboratory, photos, tmp_path):
    def run_tally(name, kill_at=-1):
        out, tally = tmp_path / name, tmp_path / f"{name}.tally"
        told = run(laboratory, out, photos, "--batch", 2, metrics="tally", TALLY=str(tally), KILL_AT=str(kill_at))
        return told.returncode, out, tally

    code, whole, whole_tally = run_tally("whole")
    assert code == 0
    calls = whole_tally.stat().st_size
    probe = 4 * 49  # calls on four images, before the first stamp
    shared = 4  # the gradients at the clear images, which ifgsm has from fgsm where no kill comes between them
    assert calls == 4 * (1 + 2 + 11 + 1) + probe - shared  # four batches: clear, fgsm, ifgsm, noise

    kept: dict[str, int] = {}
    # The call that kills, and how many calls the kill costs: in the first and second batch of the clear scores, in the
    # first of fgsm, in the probe, in the first and second of ifgsm, in the third of noise.
    in_vain = {1: 1, 3: 1, 8: 2, 26: 10, **{probe + 10 + at: count for at, count in {20: 4, 41: 10, 77: 1}.items()}}
    for kill_at in in_vain:
        code, out, tally = run_tally("killed", kill_at)
        assert code == -signal.SIGKILL
        assert {name: when for name, when in written(out).items() if name in kept} == kept
        kept = written(out)
    assert len(kept) == 2
    (out / "tally" / "noise.csv").write_text("dataset,image\nphotos,astr")  # killed between rows and stamp
    code, out, tally = run_tally("killed")
    assert code == 0
    assert cells(out) == cells(whole)
    assert {name: when for name, when in written(out).items() if name in kept} == kept
    assert tally.stat().st_size == calls + shared + sum(in_vain.values())
    left = {"clear", "scored.records", "scored.numbers", "standing_of", "doubts_of"}
    assert {file.name.split("-", 1)[0] for file in (out / ".work" / "tally").iterdir()} == left


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def group(process) -> list[psutil.Process]:
    """Returns the processes of a run that have not ended: its first process and those that this started."""
    found = []
    for other in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(other.pid) == process.pid and other.status() != psutil.STATUS_ZOMBIE:
                found.append(other)
    return found


def start_slowly(tree: Tree, out: Path, photos: Path, tally: Path, *options):
    """Starts a slow run, and returns when it has begun to attack."""
    arguments = ["--metrics", "tally,tally_too", "--attacks", ATTACKS, "--dataset", photos, "--batch", 1, *options]
    process = tree.fork("run", *arguments, "--out", out, TALLY=str(tally), PAUSE="0.1")
    wait_for(lambda: tally.exists() and tally.stat().st_size > 14, process)
    return process


def test_two_runs_in_one_folder_are_one_too_many_and_ctrl_c_stops_the_first(laboratory, photos, tmp_path):
    first = start_slowly(laboratory, tmp_path / "out", photos, tmp_path / "tally")
    second = run(laboratory, tmp_path / "out", photos)
    assert second.returncode == 75
    assert second.stderr.count("\n") == 1
    assert f"is being written by another run (process {first.pid})" in second.stderr
    os.killpg(first.pid, signal.SIGINT)
    _, told = first.communicate(timeout=120)
    assert first.returncode == 130
    assert told.splitlines()[-1] == "stopped; run the same command again to continue"
    assert "Traceback" not in told


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_a_run_that_is_stopped(laboratory, photos, tmp_path, stop):
    tally, out = tmp_path / "tally", tmp_path / "out"
    process = start_slowly(laboratory, out, photos, tally, "--jobs", 2)
    workers = len(group(process))
    assert workers >= 3
    os.killpg(process.pid, stop) if stop == signal.SIGINT else process.kill()
    _, told = process.communicate(timeout=120)
    assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in told
    deadline = time.monotonic() + 60
    while group(process):
        assert time.monotonic() < deadline, group(process)
        time.sleep(0.05)
    again = run(laboratory, out, photos, "--batch", 1, metrics="tally,tally_too", TALLY=str(tally))
    assert again.returncode == 0, again.stderr
    assert len(cells(out)) == 6


def test_damaged_rows_stamps_and_scores_are_made_again_and_nothing_else(copy, finished, laboratory, photos):
    before = written(copy)
    (copy / "brightness" / "fgsm.csv").write_bytes(cells(copy)["brightness/fgsm.csv"][:-40])
    (copy / "brightness" / "noise.json").write_text('{"status": "do')
    (copy / "distance" / "noise.csv").unlink()
    for scores in (copy / ".work" / "brightness").glob("clear-*.jsonl"):
        scores.write_bytes(scores.read_bytes()[:200] + b"\0\0\0")
    told = run(laboratory, copy, photos)
    assert told.returncode == 0, told.stderr
    assert "3 cells to run, 3 up to date" in told.stderr
    assert cells(copy) == cells(finished)
    redone = {"brightness/fgsm.csv", "brightness/noise.csv", "distance/noise.csv"}
    assert {name for name, when in written(copy).items() if when != before[name]} == redone


def test_only_the_cells_of_an_edited_metric_are_run_again(tree, photos, tmp_path):
    tree.write("metrics/brightness.py", BRIGHTNESS)
    tree.write("metrics/other.py", BRIGHTNESS)

    def again():
        told = run(tree, tmp_path / "out", photos, "--limit", 2, metrics="brightness,other", attacks="fgsm,noise")
        assert told.returncode == 0, told.stderr
        return told.stderr.splitlines()[0]

    assert again() == "4 cells to run, 0 up to date"
    tree.write("metrics/brightness.py", BRIGHTNESS + "        # a remark\n")
    assert again() == "0 cells to run, 4 up to date"
    tree.write("metrics/brightness.py", BRIGHTNESS.replace("1 + images", "2 + images"))
    assert again() == "2 cells to run, 2 up to date"
    attack = tree.root / "attacks" / "fgsm.py"
    attack.write_text(attack.read_text().replace("self.eps *", "0.5 * self.eps *"))
    assert again() == "2 cells to run, 2 up to date"


LANDSCAPE = "if images.shape[2] < images.shape[3]:\n            "
BREAKING = {
    "raises_on_one": ("return (", f"{LANDSCAPE}raise ValueError('no landscape')\n        return ("),
    "nan_on_one": ("return (", f"{LANDSCAPE}return images.mean(dim=(1, 2, 3)) * float('nan')\n        return ("),
    "nan_once_attacked": ("return (", "return torch.where(images.amax(dim=(1, 2, 3)) == 1, torch.nan, 1.0) * ("),
    "too_large": ("score_range", "smallest = 33\n    score_range"),
    "raises_always": ("return (", "raise ZeroDivisionError('always')\n        return ("),
    "unbuildable": (
        "    def score",
        "    def __init__(self):\n        raise OSError('no such model')\n\n    def score",
    ),
    "bad_weights": (
        "    def score",
        """    weights = ("weights/own.pt",)

    def __init__(self):
        super().__init__()
        torch.load("metrics/weights/own.pt")

    def score""",
    ),
    "lost_weights": ("    def score", "    weights = ('weights/gone.pt', 'hub/gone.pt')\n\n    def score"),
    "syntax_error": ("return (", "return (("),
    "needs_a_package": ("import torch", "import torch\nimport no_such_package"),
    "fails_on_import": ("import torch", "import torch\n1 / 0"),
    "two_scores": ("dim=(1, 2, 3)", "dim=(2, 3)"),
}


def test_what_breaks_in_a_metric_is_named_and_counted_and_costs_only_its_own_cells(tree, photos, tmp_path):
    tree.write("metrics/brightness.py", BRIGHTNESS)
    for name, (old, new) in BREAKING.items():
        text = BRIGHTNESS.replace("from metric_robustness.metrics", "import torch\nfrom metric_robustness.metrics")
        assert old in text
        tree.write(f"metrics/{name}.py", text.replace(old, new, 1))
    tree.write("metrics/weights/own.pt", "not weights")
    fgsm = (tree.root / "attacks" / "fgsm.py").read_text()
    tree.write("attacks/shy.py", fgsm.replace('"white"', '"black"'))
    tree.write(
        "attacks/odd.py", fgsm.replace("from metric_robustness.attacks", "1 / 0\nfrom metric_robustness.attacks")
    )
    out = tmp_path / "out"
    told = run(tree, out, photos, metrics="all", attacks="fgsm,noise,shy,odd")
    assert told.returncode == 3
    shown = " ".join((told.stdout + told.stderr).split())
    assert stamp(out, "brightness/fgsm")["rows"] == 6

    def left_out(metric):
        about = stamp(out, f"{metric}/fgsm")
        assert about["status"] == "done"
        (dataset,) = about["datasets"]
        assert about["rows"] + len(dataset["excluded"]) == dataset["images"] == 6
        return dataset["excluded"]

    landscapes = ["astronaut.png", "coffee.png", "ihc.png"]
    assert left_out("raises_on_one") == dict.fromkeys(landscapes, "ValueError: no landscape")
    assert left_out("nan_on_one") == dict.fromkeys(landscapes, "its clear score is nan")
    too_small = "is smaller than the 33 pixels that too_large needs"
    assert left_out("too_large") == dict.fromkeys(landscapes, f"40x32 {too_small}") | {
        "motorcycle_left.png": f"32x40 {too_small}"
    }
    assert "its attacked score is not finite" in " ".join(left_out("nan_once_attacked").values())

    def failure(metric, attack="fgsm", status="failed"):
        about = stamp(out, f"{metric}/{attack}")
        assert (about["status"], about["rows"]) == (status, 0)
        assert about["reason"] in shown
        assert not (out / metric / f"{attack}.csv").exists()
        return about["reason"]

    assert "ZeroDivisionError: always" in failure("raises_always")
    assert failure("unbuildable") == "unbuildable cannot be built: OSError: no such model"
    assert "bad_weights cannot be built" in failure("bad_weights")
    assert "weights/gone.pt is missing from the checkout" in failure("lost_weights", status="skipped")
    assert "metrics/syntax_error.py (line 12)" in failure("syntax_error")
    assert "no_such_package" in failure("needs_a_package")
    assert "ZeroDivisionError" in failure("fails_on_import")
    assert "must return one score per image" in failure("two_scores")
    assert 'declare access = "white"' in failure("brightness", "shy")
    assert "attacks/odd.py does not import: ZeroDivisionError" in failure("brightness", "odd")
    assert failure("raises_always", "noise")


def test_a_run_that_leaves_images_out_is_a_success_and_names_them(laboratory, photos, tmp_path):
    folder = Path(shutil.copytree(photos, tmp_path / "photos"))
    with Image.open(photos / "coffee.png") as image:
        image.save(folder / "broken ä.jpg", quality=95)
    (folder / "broken ä.jpg").write_bytes((folder / "broken ä.jpg").read_bytes()[:-400])  # its header is whole
    (folder / "text.png").write_text("text")
    told = run(laboratory, tmp_path / "out", folder, attacks="noise", metrics="brightness")
    assert told.returncode == 0
    assert "excluded: text.png: cannot be read" in told.stderr
    assert "excluded: broken ä.jpg: cannot be decoded" in told.stderr
    assert "2 images excluded" in told.stderr
    (dataset,) = stamp(tmp_path / "out", "brightness/noise")["datasets"]
    assert dataset["images"] == 8
    assert set(dataset["excluded"]) == {"broken ä.jpg", "text.png"}


def test_a_full_disk_can_be_tried_again_and_nothing_finished_is_lost(finished, laboratory, photos, tmp_path):
    out = tmp_path / "out"
    told = run(laboratory, out, photos, "--batch", 1, largest_file=1800)
    assert told.returncode == 75
    assert told.stderr.splitlines()[-1].startswith("error: the disk is full while writing")
    again = run(laboratory, out, photos)
    assert again.returncode == 0
    assert set(cells(out)) == set(cells(finished))


@pytest.mark.parametrize("out", ["/sys/out", "/dev/null", "/dev/null/out"])
def test_an_output_folder_that_cannot_be_written_to_is_a_wrong_call(laboratory, photos, out):
    told = run(laboratory, Path(out), photos)
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert "choose another --out" in told.stderr


def test_rows_of_another_data_set_are_never_replaced(copy, laboratory, photos):
    before = cells(copy)
    told = run(laboratory, copy, "sample", "--limit", 1)
    assert told.returncode == 2
    assert told.stderr.startswith("error: ")
    assert "holds rows of data set photos" in told.stderr
    assert "choose another --out" in told.stderr
    assert cells(copy) == before


def test_a_changed_setting_is_recorded_and_never_mixed_with_the_benchmark_s_rows(copy, laboratory, photos):
    before = cells(copy)
    told = run(laboratory, copy, photos, "--set", "steps=3", "--set", "eps=4/255", attacks="ifgsm")
    assert told.returncode == 0, told.stderr
    changed = rows(copy, "brightness/ifgsm+eps=4over255+steps=3")
    assert {row["variant"] for row in changed} == {"eps=4/255+steps=3"}
    assert {row["gradients"] for row in changed} == {"3"}
    about = stamp(copy, "brightness/ifgsm+eps=4over255+steps=3")
    assert about["settings"]["overrides"] == {"eps": "4/255", "steps": "3"}
    assert about["attack"]["settings"]["steps"] == 3
    assert {name: content for name, content in cells(copy).items() if name in before} == before


def test_saved_images_are_the_attacked_ones_and_what_was_attacked(copy, laboratory, photos):
    told = run(laboratory, copy, photos, "--save-images", metrics="brightness", attacks="noise")
    assert told.returncode == 0, told.stderr
    for row in rows(copy, "brightness/noise"):
        clear, file = sorted((copy / "images").rglob(f"{row['image']}*"))
        assert clear == copy / "images" / "_clear" / "original" / f"{row['image']}.png"
        assert (decode(clear) == decode(photos / row["image"])).all()
        change = to_tensor([decode(file)]) - to_tensor([decode(photos / row["image"])])
        assert change.abs().max().item() == pytest.approx(float(row["linf"]), abs=1e-6)
        assert change.double().square().mean().item() == pytest.approx(float(row["mse"]), rel=1e-4)
    told = run(laboratory, copy, photos, "--save-images", metrics="brightness", attacks="noise")
    assert "0 cells to run" in told.stderr


def test_a_bfloat16_search_is_recorded_and_scored_in_float32(copy, finished, laboratory, photos):
    told = run(laboratory, copy, photos, "--dtype", "bfloat16", metrics="brightness", attacks="noise")
    assert told.returncode == 0, told.stderr
    found = rows(copy, "brightness/noise+bfloat16")
    assert {row["variant"] for row in found} == {"dtype=bfloat16"}
    assert [row["attacked"] for row in found] == [row["attacked"] for row in rows(finished, "brightness/noise")]
    about = stamp(copy, "brightness/noise+bfloat16")
    assert (about["settings"]["dtype"], about["machine"]["arithmetic"]) == ("bfloat16", "float32")
