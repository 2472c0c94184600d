"""What contributed code does to its process costs only itself, and is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from scratch import BRIGHTNESS, DISTANCE, Tree

from metric_robustness.pipeline.isolation import watch as watching
from metric_robustness.pipeline.isolation.spawner import Spawner
from metric_robustness.pipeline.isolation.watch import LostError, call

IMPORTS = "import ctypes, os, signal, sys, time\nimport torch\n"
AT_IMPORT = "from metric_robustness"
IN_SCORE = "        return (images.square()"
EXITED = "ended the process with status 0: take sys.exit or os._exit out"
FAULT = "was killed by signal 11 (segmentation fault): see what its compiled code does"
KILLED = "was killed, probably for memory: run again"
# What a metric does: where, what, and how the reason of its cells goes on.
ENDING = {
    "exits": (IN_SCORE, "sys.exit(0)", EXITED),
    "exits_hard": (IN_SCORE, "os._exit(0)", EXITED),
    "exits_at_import": (AT_IMPORT, "os._exit(0)", EXITED),
    "faults": (IN_SCORE, "ctypes.string_at(0)", FAULT),
    "fills_the_memory": (IN_SCORE, "os.kill(os.getpid(), signal.SIGKILL)", KILLED),
}
CHANGED = "of the process from"
CHANGING = {
    "doubles": (IN_SCORE, "torch.set_default_dtype(torch.float64)", f" fgsm: changed set_default_dtype {CHANGED}"),
    "stops_gradients": (AT_IMPORT, "torch.set_grad_enabled(False)", f": changed set_grad_enabled {CHANGED}"),
}
ATTACK = '''
"""{title}: leaves the images as they are."""

import os
from dataclasses import dataclass

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective

{at_import}

@dataclass(frozen=True)
class {title}(Attack):
    access = "white"
    family = "control"

    eps: float = 10 / 255

    def budget(self) -> Budget:
        return Budget(queries=1, gradients=1)

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        {in_loop}
        return images
'''


def metric(where: str, line: str) -> str:
    """Returns a metric that executes a line at its import, or in every score."""
    indent = " " * (len(where) - len(where.lstrip()))
    return BRIGHTNESS.replace(AT_IMPORT, IMPORTS + AT_IMPORT, 1).replace(where, f"{indent}{line}\n{where}", 1)


def rows(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.glob("*/*.csv")}


def reason(out: Path, cell: str) -> str:
    """Returns why a cell failed."""
    stamp = json.loads((out / f"{cell}.json").read_text())
    assert stamp["status"] == "failed"
    return str(stamp["reason"])


@pytest.fixture(scope="module")
def wild(tmp_path_factory) -> Tree:
    """Returns a checkout with two sound metrics, and with metrics and attacks that misuse their process."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("wild") / "tree")
    tree.write("metrics/brightness.py", BRIGHTNESS)
    tree.write("metrics/distance.py", DISTANCE)
    for name, (where, line, _) in (ENDING | CHANGING).items():
        tree.write(f"metrics/{name}.py", metric(where, line))
    tree.write("metrics/averages.py", BRIGHTNESS.replace("(dim=(1, 2, 3))", "().reshape(1)"))
    talks = metric(IN_SCORE, "print('told while it scores'); os.system('echo told by a program')")
    tree.write("metrics/talks.py", talks.replace(AT_IMPORT, f"print('told at import')\n{AT_IMPORT}", 1))
    tree.write("metrics/looks.py", metric(IN_SCORE, "bool(images.sum() > 0)"))  # which cannot be traced
    tree.write("metrics/faults_traced.py", metric(IN_SCORE, "type(images) is torch.Tensor or ctypes.string_at(0)"))
    tree.write("metrics/loops.py", metric(IN_SCORE, "while True: time.sleep(0.1)"))
    tree.write("attacks/leaves.py", ATTACK.format(title="Leaves", at_import="", in_loop="os._exit(0)"))
    tree.write("attacks/absent.py", ATTACK.format(title="Absent", at_import="os._exit(0)", in_loop="pass"))
    return tree


@pytest.fixture(scope="module")
def attacked(wild, photos):
    """Returns what runs metrics under attacks."""

    def run(out, metrics, attacks="fgsm,noise", *options):
        arguments = ["--metrics", ",".join(metrics), "--attacks", attacks, "--dataset", photos, "--limit", 2]
        return wild.call("run", *arguments, *options, "--out", out)

    return run


@pytest.fixture(scope="module")
def alone(attacked, tmp_path_factory):
    """Returns the rows of the sound metrics, run without the others."""
    out = tmp_path_factory.mktemp("alone")
    told = attacked(out, ["brightness", "distance"])
    assert told.returncode == 0, told.stderr
    return rows(out)


def test_a_metric_that_ends_its_process_costs_only_its_own_cells_and_is_named(attacked, alone, tmp_path):
    told = attacked(tmp_path, ["brightness", *ENDING, "distance"], "fgsm,noise", "--jobs", 2)
    assert told.returncode == 3, told.stderr
    assert rows(tmp_path) == alone
    for name, (_, _, end) in ENDING.items():
        for attack in ("fgsm", "noise"):
            assert reason(tmp_path, f"{name}/{attack}").startswith(f"metric {name} {end}")
            assert f"{name} {attack}: failed, metric {name} {end}" in told.stderr
    assert (tmp_path / "leaderboard.md").is_file()


def test_a_user_whose_process_ends_while_passes_are_compiled_learns_how_to_go_without(attacked, tmp_path):
    told = attacked(tmp_path, ["faults_traced"], "fgsm", "--compile")
    assert told.returncode == 3, told.stderr
    expected = f"metric faults_traced under attack fgsm {FAULT}, or run with --no-compile, since its passes"
    assert reason(tmp_path, "faults_traced/fgsm").startswith(expected)
    assert attacked(tmp_path, ["faults_traced"], "fgsm", "--no-compile").returncode == 0


def test_a_user_who_wants_passes_compiled_learns_on_the_terminal_why_they_are_not(attacked, tmp_path):
    told = attacked(tmp_path, ["looks"], "fgsm", "--compile")
    assert told.returncode == 0, told.stderr
    assert "looks fgsm: done, not compiled for 1x3x" in told.stderr
    assert "data-dependent" in told.stderr.replace("\n", " ")
    assert "not compiled" not in attacked(tmp_path / "auto", ["looks"], "fgsm").stderr


@pytest.mark.slow
def test_a_metric_that_loops_is_ended_after_the_time_that_the_user_grants(attacked, alone, tmp_path):
    told = attacked(tmp_path, ["loops", "brightness", "distance"], "fgsm,noise", "--jobs", 2, "--patience", 10)
    assert told.returncode == 3, told.stderr
    assert rows(tmp_path) == alone
    assert reason(tmp_path, "loops/noise").startswith("metric loops reported nothing for 10 seconds and was ended")


def test_an_attack_that_ends_its_process_costs_only_its_own_cells_and_is_named(attacked, alone, tmp_path):
    told = attacked(tmp_path, ["brightness", "distance"], "fgsm,leaves,absent,noise")
    assert told.returncode == 3, told.stderr
    assert rows(tmp_path) == alone
    assert reason(tmp_path, "distance/leaves") == f"metric distance under attack leaves {EXITED}"
    assert reason(tmp_path, "distance/absent") == f"attack absent {EXITED}"


def test_a_metric_that_changes_its_process_changes_no_row_of_another_and_is_told(attacked, alone, tmp_path):
    told = attacked(tmp_path, [*CHANGING, "brightness", "distance"])
    found = rows(tmp_path)
    assert {name: found.get(name) for name in alone} == alone
    for name, (_, _, warning) in CHANGING.items():
        assert sum(line.startswith(f"{name}{warning}") for line in told.stderr.splitlines()) == 1, told.stderr


def test_a_metric_that_takes_only_single_images_is_run_so_and_its_author_is_told_once(attacked, tmp_path):
    told = attacked(tmp_path, ["averages", "brightness"], "fgsm,noise", "--limit", 4)
    assert told.returncode == 0, told.stderr
    stamps = [json.loads((tmp_path / name / "fgsm.json").read_text()) for name in ("averages", "brightness")]
    assert [stamp["rows"] for stamp in stamps] == [4, 4]
    averaged, one = (next(iter(stamp["probes"].values())) for stamp in stamps)
    assert averaged["slope"] == pytest.approx(one["slope"], rel=1e-3)
    (line,) = [line for line in told.stderr.splitlines() if "one by one" in line]
    assert line.startswith("averages fgsm: takes images one by one, which is slower, since several at once failed (")


def test_check_names_an_entry_that_ends_its_process_and_goes_on_with_the_others(wild):
    ended = {"exits_hard": EXITED, "exits_at_import": EXITED, "absent": EXITED, "faults": FAULT}
    told = wild.call("check", *ended, "brightness", "--json")
    assert told.returncode == 3, told.stderr
    found = {each["name"]: each["checks"] for each in map(json.loads, told.stdout.splitlines())}
    for name, end in ended.items():
        (check,) = found[name]
        assert (check["status"], check["seen"]) == ("failed", f"the check of {name} {end}")
    assert {check["status"] for check in found["brightness"]} == {"passed"}


def test_what_an_entry_prints_stands_beside_the_answer_of_a_command_that_programs_read(wild):
    told = wild.call("check", "talks", "--json")
    (line,) = told.stdout.splitlines()
    assert json.loads(line)["name"] == "talks"
    assert {"told at import", "told while it scores", "told by a program"} <= set(told.stderr.splitlines())


def test_what_is_printed_in_a_spawned_process_stands_beside_the_answer_too(monkeypatch, capfd):
    monkeypatch.setattr(watching, "starter", Spawner)
    assert call("it", os.system, "echo told") == 0
    assert call("it", print, "told, too") is None
    assert capfd.readouterr() == ("", "told\ntold, too\n")


def test_a_process_that_is_spawned_is_watched_like_one_that_is_forked(monkeypatch):
    monkeypatch.setattr(watching, "starter", Spawner)
    assert call("it", divmod, 7, 2) == (3, 1)
    with pytest.raises(LostError, match="it ended the process with status 5"):
        call("it", os._exit, 5)
