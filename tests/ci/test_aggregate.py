"""Plan, cells and aggregate, one after another on one machine: the pipeline without GitLab."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
import yaml
from scratch import BRIGHTNESS, DISTANCE, ROOT, TALLY, Tree

ATTACKS = {"fgsm", "noise"}


@pytest.fixture
def bench(tree: Tree) -> Tree:
    """Returns a checkout with two quick metrics and two attacks."""
    tree.write("metrics/brightness.py", BRIGHTNESS)
    tree.write("metrics/distance.py", DISTANCE)
    for file in (tree.root / "attacks").glob("*.py"):
        if file.stem not in {"__init__", "base", *ATTACKS}:
            file.unlink()
    return tree


def plan(tree: Tree) -> dict[str, dict]:
    """Plans; returns the cells by name."""
    told = tree.call("plan", "--preset", "smoke", "--device", "cpu", "--store", "store", "--out", "plan")
    assert told.returncode == 0, told.stderr
    return {f"{cell['metric']} {cell['attack']}": cell for cell in written(tree)["cells"]}


def written(tree: Tree) -> dict:
    return json.loads((tree.root / "plan" / "plan.json").read_text())


def run(tree: Tree, cell: dict, out: str = "cells", **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.rmtree(tree.root / out, ignore_errors=True)  # every job has a fresh checkout
    return tree.call(
        "run",
        "--metrics",
        cell["metric"],
        "--attacks",
        cell["attack"],
        "--preset",
        "smoke",
        "--store",
        "store",
        "--key",
        cell["key"],
        "--batch",
        "1",
        "--out",
        out,
        **environment,
    )


def run_all(tree: Tree, *metrics: str) -> None:
    """Runs the cells of metrics in one go, which gives the store the same objects as a job for each."""
    told = tree.call(
        "run", "--metrics", ",".join(metrics) or "all", "--preset", "smoke", "--store", "store", "--out", "all"
    )
    assert told.returncode == 0, told.stderr


def aggregate(tree: Tree) -> Path:
    shutil.rmtree(tree.root / "rows", ignore_errors=True)
    told = tree.call("aggregate", "--plan", "plan/plan.json", "--store", "store", "--rows", "rows", "--out", "public")
    assert told.returncode == 0, told.stderr
    return tree.root / "public"


def lines(file: Path) -> dict[str, dict[str, str]]:
    return {f"{line['metric']} {line['attack']}": line for line in csv.DictReader(file.open())}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_chain_gives_what_one_run_gives(bench, tmp_path):
    cells = plan(bench)
    assert {name: cell["action"] for name, cell in cells.items()} == dict.fromkeys(
        ["brightness fgsm", "brightness noise", "distance fgsm", "distance noise"], "run"
    )
    for name in ("brightness", "distance"):
        told = bench.call("calibrate", "--metrics", name, "--preset", "smoke", "--store", "store", "--out", "clear")
        assert told.returncode == 0, told.stderr
        assert f"{name} on sample" in told.stdout
    for cell in cells.values():
        assert run(bench, cell).returncode == 0
    public = aggregate(bench)
    told = bench.call("run", "--preset", "smoke", "--metrics", "all", "--out", "alone")
    assert told.returncode == 0, told.stderr
    for name in ("leaderboard.json", "leaderboard.md", "leaderboard.csv"):
        assert (public / name).read_bytes() == (bench.root / "alone" / name).read_bytes()
    for cell in cells.values():
        file = f"{cell['metric']}/{cell['attack']}.csv"
        assert (bench.root / "rows" / file).read_bytes() == (bench.root / "alone" / file).read_bytes()
        with zipfile.ZipFile(public / "rows.zip") as rows:
            assert rows.read(file) == (bench.root / "alone" / file).read_bytes()
    sums = subprocess.run(
        ["/usr/bin/sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=public,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sums.stdout.count("OK") == sum(file.is_file() for file in public.iterdir()) - 1
    assert "4 images: an illustration, not a ranking to cite" in (public / "index.html").read_text()
    assert (public / "metrics" / "brightness.html").is_file()
    links = re.findall(r'href="([^"]+)" download', (public / "downloads.html").read_text())
    assert {"leaderboard.md", "cells.csv", "rows.zip"} <= set(links) <= {file.name for file in public.iterdir()}
    history = lines(public / "cells.csv")
    assert all(line["status"] == "done" and float(line["seconds"]) > 0 for line in history.values())
    assert all(int(line["passes"]) >= 4 for line in history.values())
    speeds = (public / "speeds.csv").read_text()  # as the jobs `calibrate` left them in the store
    assert all(f"metrics,{name},cpu," in speeds for name in ("brightness", "distance"))

    first = contents(public)
    assert {cell["action"] for cell in plan(bench).values()} == {"done"}  # nothing is stale now
    aggregate(bench)
    assert contents(public) == first


def test_only_what_changed_is_planned_again(bench):
    plan(bench)
    run_all(bench)
    aggregate(bench)
    shutil.copy(bench.root / "public" / "cells.csv", bench.write("results/cells.csv", ""))
    bench.write("metrics/brightness.py", BRIGHTNESS + "\n# only a comment\n")
    assert {cell["action"] for cell in plan(bench).values()} == {"done"}
    bench.write("metrics/brightness.py", BRIGHTNESS.replace("(1 + images", "(2 + images"))
    told = {name: (cell["action"], cell["reason"]) for name, cell in plan(bench).items()}
    assert told == {
        "brightness fgsm": ("run", "metric changed"),
        "brightness noise": ("run", "metric changed"),
        "distance fgsm": ("done", "up to date"),
        "distance noise": ("done", "up to date"),
    }


def test_clear_scores_are_computed_once_for_all_jobs(bench, tmp_path):
    bench.write("metrics/tally.py", TALLY)
    cells = plan(bench)
    tally = tmp_path / "tally"
    told = bench.call(
        "calibrate", "--metrics", "tally", "--preset", "smoke", "--store", "store", "--out", "clear", TALLY=str(tally)
    )
    assert told.returncode == 0, told.stderr
    clear = tally.stat().st_size
    assert clear > 0
    assert run(bench, cells["tally noise"], TALLY=str(tally)).returncode == 0
    assert tally.stat().st_size == clear + 4  # noise scores each attacked image once, and no clear one again
    again = plan(bench)
    assert "calibrate tally" not in written(bench)["jobs"]
    assert again["tally fgsm"]["action"] == "run"


def test_a_metric_that_raises_costs_only_its_cells_and_is_named(bench):
    bench.write(
        "metrics/broken.py",
        BRIGHTNESS.replace("return ", "raise RuntimeError('no <GPU> & no hope')\n        return ").replace(
            "Brightness", "Broken"
        ),
    )
    cells = plan(bench)
    failed = run(bench, cells["broken fgsm"])
    assert failed.returncode == 3
    assert run(bench, cells["broken noise"]).returncode == 3
    run_all(bench, "brightness", "distance")
    public = aggregate(bench)
    history = lines(public / "cells.csv")
    assert history["broken fgsm"]["status"] == "failed"
    assert "no <GPU> & no hope" in history["broken fgsm"]["reason"]
    assert history["brightness fgsm"]["status"] == "done"
    assert "no <GPU> & no hope" in (public / "leaderboard.json").read_text()
    cases = {f"{case.get('classname')} {case.get('name')}": case for case in ET.parse(public / "junit.xml").getroot()}
    assert "no <GPU> & no hope" in cases["broken fgsm"].find("failure").get("message")
    assert cases["distance noise"].find("failure") is None
    assert plan(bench)["broken fgsm"]["reason"] == "failed last time"


def test_a_cell_killed_half_way_continues_on_another_machine(bench, tmp_path):
    bench.write("metrics/tally.py", TALLY)
    cells = plan(bench)
    cell = cells["tally fgsm"]
    killed = run(
        bench, cell, "one", TALLY=str(tmp_path / "one"), KILL_AT="9", BENCHMARK_KEEP_EVERY="0", OMP_NUM_THREADS="1"
    )
    assert killed.returncode == -9
    continued = run(bench, cell, "two", TALLY=str(tmp_path / "two"))
    assert continued.returncode == 0, continued.stderr
    whole = bench.call(
        "run",
        "--preset",
        "smoke",
        "--metrics",
        "tally",
        "--attacks",
        "fgsm",
        "--out",
        "three",
        "--batch",
        "1",
        TALLY=str(tmp_path / "three"),
    )
    assert whole.returncode == 0
    rows = (bench.root / "two" / "tally" / "fgsm.csv").read_bytes()
    assert rows == (bench.root / "three" / "tally" / "fgsm.csv").read_bytes()
    assert len(set(rows.splitlines())) == len(rows.splitlines()) == 5
    assert (tmp_path / "two").stat().st_size < (tmp_path / "three").stat().st_size  # it did not begin anew


@pytest.mark.parametrize("name", ["rows.csv", "stamp.json"])
def test_a_damaged_object_is_refused_told_and_computed_again(bench, name):
    cells = plan(bench)
    run_all(bench)
    key = cells["brightness fgsm"]["key"]
    (file,) = (bench.root / "store").glob(f"cells/*/{key}/{name}")
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    public = aggregate(bench)
    history = lines(public / "cells.csv")
    assert history["brightness fgsm"]["status"] == "failed"
    assert "is damaged: it is computed again" in history["brightness fgsm"]["reason"]
    assert history["brightness noise"]["status"] == "done"
    again = plan(bench)
    assert {name for name, cell in again.items() if cell["action"] == "run"} == {"brightness fgsm"}
    assert run(bench, again["brightness fgsm"]).returncode == 0
    plan(bench)
    assert lines(aggregate(bench) / "cells.csv")["brightness fgsm"]["status"] == "done"


def test_a_job_that_left_nothing_and_cells_that_wait_are_named(bench):
    cells = plan(bench)
    assert run(bench, cells["brightness fgsm"]).returncode == 0
    history = lines(aggregate(bench) / "cells.csv")
    assert history["brightness fgsm"]["status"] == "done"
    assert history["distance fgsm"]["reason"] == "its job left nothing: see the job's log"
    told = bench.call("plan", "--preset", "smoke", "--device", "cpu", "--store", "store", "--hold", "--out", "plan")
    assert told.returncode == 0
    assert written(bench)["jobs"] == []
    assert lines(aggregate(bench) / "cells.csv")["distance fgsm"]["status"] == "waiting"


MIRROR = '''
"""Mirror: left and right exchanged."""

from metric_robustness.defences.base import Defence, Images, Noise


class Mirror(Defence):
    def purify(self, images: Images, noise: Noise) -> Images:
        return images.flip(3)
'''


def test_a_defended_cell_that_waits_does_not_stand_for_the_bare_metric(bench):
    bench.write("defences/mirror.py", MIRROR)
    config = bench.root / "pipeline" / "benchmark.yml"
    presets = yaml.safe_load(config.read_text())
    presets["presets"]["smoke"]["defences"] = ["mirror"]
    config.write_text(yaml.safe_dump(presets))
    told = bench.call("plan", "--preset", "smoke", "--device", "cpu", "--store", "store", "--hold", "--out", "plan")
    assert told.returncode == 0, told.stderr
    public = aggregate(bench)
    history = lines(public / "cells.csv")
    assert {name: line["status"] for name, line in history.items()} == dict.fromkeys(
        ["brightness fgsm+defended", "brightness noise+defended", "distance fgsm+defended", "distance noise+defended"],
        "waiting",
    )
    stamp = json.loads((bench.root / "rows" / "brightness" / "fgsm+defended.json").read_text())
    assert (stamp["status"], stamp["settings"]["defences"]) == ("skipped", ["mirror"])
    assert lines(public / "scores.csv") == {}


def test_rows_that_an_earlier_plan_left_do_not_stand_in_the_tables_of_this_one(bench):
    plan(bench)
    run_all(bench)
    before = (aggregate(bench) / "leaderboard.csv").read_text()
    (bench.root / "metrics" / "distance.py").unlink()
    plan(bench)
    told = bench.call("aggregate", "--plan", "plan/plan.json", "--store", "store", "--rows", "rows", "--out", "public")
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1] == (
        "error: rows holds cells that the plan lacks (distance fgsm, distance noise): choose another --rows, or "
        "remove it"
    )
    assert (bench.root / "public" / "leaderboard.csv").read_text() == before
    with (aggregate(bench) / "leaderboard.csv").open() as file:
        assert [line["metric"] for line in csv.DictReader(file)] == ["brightness"]


def test_a_cell_of_another_checkout_is_refused(bench):
    cell = plan(bench)["brightness fgsm"]
    bench.write("metrics/brightness.py", BRIGHTNESS.replace("(1 + images", "(2 + images"))
    told = run(bench, cell)
    assert told.returncode == 3
    assert f"must have the planned key {cell['key']}" in told.stderr
    gathered = bench.call("aggregate", "--plan", "plan/plan.json", "--store", "store", "--out", "public")
    assert gathered.returncode == 3
    assert "was planned from another" in gathered.stderr


def test_what_a_laptop_computed_without_the_store_reaches_it_later(bench):
    assert bench.call("run", "--preset", "smoke", "--metrics", "all", "--out", "alone").returncode == 0
    assert (
        bench.call("run", "--preset", "smoke", "--metrics", "all", "--out", "alone", "--store", "store").returncode == 0
    )
    assert {cell["action"] for cell in plan(bench).values()} == {"done"}


def test_images_are_counted_where_they_are_and_planned_elsewhere(bench):
    told = bench.call("inventory", "--preset", "smoke", "--out", "inventory.json")
    assert told.returncode == 0
    assert "sample: 4 images, digest" in told.stdout
    here = {name: cell["key"] for name, cell in plan(bench).items()}
    configuration = bench.root / "pipeline" / "benchmark.yml"
    configuration.write_text(configuration.read_text().replace("path: data\n", "path: nowhere\n"))
    there = bench.call(
        "plan", "--preset", "smoke", "--device", "cpu", "--store", "store", "--data", "inventory.json", "--out", "plan"
    )
    assert there.returncode == 0, there.stderr
    assert {f"{cell['metric']} {cell['attack']}": cell["key"] for cell in written(bench)["cells"]} == here


def test_a_planned_fit_is_made_by_its_job_and_its_pattern_used_by_the_cell_s(bench):
    shutil.copy(ROOT / "attacks" / "optimized_uap.py", bench.root / "attacks")
    presets = bench.root / "pipeline" / "benchmark.yml"
    presets.write_text(
        presets.read_text().replace("    variants: false\n", "    variants: false\n    train: [sample]\n")
    )
    cell = plan(bench)["brightness optimized_uap"]
    assert "fit brightness optimized_uap sample" in written(bench)["jobs"]
    (job,) = (
        document["fit brightness optimized_uap sample"]
        for file in sorted((bench.root / "plan").glob("child-*.yml"))
        if "fit brightness optimized_uap sample" in (document := yaml.safe_load(file.read_text()))
    )
    given = job["variables"]
    fit = ["fit", given["ATTACK"], given["METRIC"], "--train", given["TRAIN"], "--preset", "smoke", "--store", "store"]
    told = bench.call(*fit, "--key", "0" * 32, "--out", "other")
    assert told.returncode == 3
    assert "must have the planned key" in told.stderr
    told = bench.call(*fit, "--key", given["KEY"], "--out", "fitted")
    assert told.returncode == 0, told.stderr
    plan(bench)
    assert "fit brightness optimized_uap sample" not in written(bench)["jobs"]
    assert "fit distance optimized_uap sample" in written(bench)["jobs"]
    told = run(bench, cell)
    assert told.returncode == 0, told.stderr
    name = "fits/brightness/optimized_uap-sample.json"
    assert (bench.root / "cells" / name).read_bytes() == (bench.root / "fitted" / name).read_bytes()
    assert plan(bench)["brightness optimized_uap"]["action"] == "done"


def prune(tree: Tree, *arguments: str) -> subprocess.CompletedProcess[str]:
    days = ("--unfinished-days", "0", "--unwanted-days", "0")
    return tree.call("store", "prune", "--store", "store", "--plan", "plan/plan.json", *days, *arguments)


def test_a_prune_leaves_what_the_plan_needs_and_takes_what_it_needs_no_more(bench):
    plan(bench)
    run_all(bench)
    nothing = bench.call("store", "prune", "--store", "another", "--yes")
    assert (nothing.returncode, nothing.stdout) == (0, "another holds nothing of a result store\n")
    plan(bench)  # now the cells are done, and nothing continues their unfinished work
    before = contents(bench.root / "store")
    shown = prune(bench)
    assert (shown.returncode, contents(bench.root / "store")) == (0, before)
    assert "nothing was removed, --yes does it" in shown.stdout
    told = prune(bench, "--yes")
    assert (told.returncode, "freed " in told.stdout) == (0, True), told.stderr
    after = contents(bench.root / "store")
    assert {name.partition("/")[0] for name in before.keys() - after.keys()} <= {"unfinished"}
    assert {name.partition("/")[0] for name in after} == {"cells", "clear"}
    assert {cell["action"] for cell in plan(bench).values()} == {"done"}
    assert not written(bench)["jobs"]  # no clear scores are missing

    bench.write("metrics/brightness.py", BRIGHTNESS.replace("mean(", "amax("))
    told = prune(bench)
    assert (told.returncode, "the plan must be of this checkout" in told.stderr) == (3, True)
    plan(bench)
    assert prune(bench, "--yes").returncode == 0
    gone = {name.partition("/")[0] for name in after.keys() - contents(bench.root / "store").keys()}
    assert gone == {"cells", "clear"}
    found = plan(bench)
    assert {name: cell["action"] for name, cell in found.items() if "distance" in name} == {
        "distance fgsm": "done",
        "distance noise": "done",
    }
