"""Chaos: disturbs our calls in every way we know, has them repeated, and compares with what an undisturbed call leaves.

`make chaos` runs a campaign; `chaos.py --trials N --seed S` says how long. A trial damages one file that we wrote and
later believe, kills calls at random times, stops them with Ctrl-C, or lets the disk be full; then the same calls must
end in the same bytes.
What is wanted is 0 in each column but the first. The exit code is 1 where it is not.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import torch
from chaos_damage import DAMAGES
from chaos_scenarios import Scenario, result, scenarios

from metric_robustness.pipeline.__main__ import main
from metric_robustness.pipeline.engine.measures.distances import measures
from metric_robustness.pipeline.errors import Exit

# Modules that commands load only when they run.
LOADED = ("engine.run", "engine.universal.fit_patterns", "scoring.tables.write", "train.run", "train.tasks.rate")

PATIENCE = 240.0  # seconds after which a call hangs
SECONDS_TO_STOP = 60.0  # a call that Ctrl-C has not stopped by then hangs
KILLS = 3
STOPPED = "stopped; run the same command again to continue"
COUNTED = ("lost", "doubled", "silently wrong", "tracebacks", "hangs", "failed", "left over")
WRITING = "*.writing"
WITHOUT_DAMAGE = ("kills", "Ctrl-C", "full disk")


@dataclass
class Stage:
    """A scenario with what it left undisturbed, and with folders of calls that were killed on the way.

    Attributes:
        scenario: The scenario.
        whole: What the undisturbed calls left.
        folders: Where each of some calls was, killed or finished; trials begin with copies.
        seconds: That the undisturbed calls took.
    """

    scenario: Scenario
    whole: dict[str, object]
    folders: list[Path]
    seconds: float

    @classmethod
    def of(cls, scenario: Scenario, folder: Path, random: Random, killed: int) -> Stage:
        """Makes the calls once undisturbed, then again until they were killed so many times."""
        finished = folder / "finished"
        begun = time.monotonic()
        for words in [*(scenario.before(finished) if scenario.before else []), *scenario.calls(finished)]:
            told = call(words)
            assert told.code == 0, told.text
        seconds = time.monotonic() - begun
        whole = result(finished)
        assert whole, "the calls left nothing"
        stage = cls(scenario, whole, [finished], seconds)
        for number in range(killed):
            moment = folder / f"killed{number}"
            if number % 4:  # most go on where the last one was killed
                shutil.copytree(stage.folders[-1], moment)
            for words in scenario.calls(moment):
                told = call(words, lifetime=random.uniform(0.3, 1) * seconds / len(scenario.calls(moment)))
            if moment.is_dir():
                stage.folders.append(moment)
        return stage

    def having(self, pattern: str) -> list[Path]:
        """Returns the folders that hold a file of a kind."""
        return [folder for folder in self.folders if files_of(folder, pattern)]


@dataclass
class Verdict:
    """What a trial ended in."""

    what: str
    faults: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Told:
    """What a call printed, and its exit code; below 0 if it was killed."""

    code: int
    text: str


def call(
    words: list[str], *, largest: int | None = None, lifetime: float = PATIENCE, stop_after: float | None = None
) -> Told:
    """Calls the command line in a fork of this process, which has imported all that a call needs.

    Args:
        words: The call.
        largest: How many bytes a file may grow to; None: any number.
        lifetime: The seconds after which the call is killed.
        stop_after: The seconds after which Ctrl-C is pressed.
    """
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a campaign in the background ignores it
            signal.setitimer(signal.ITIMER_REAL, lifetime)  # nothing handles its signal, so it kills
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
            code = 1
            try:
                code = executed(words)
            finally:
                os._exit(code)  # whatever happened: the child must not go on with the campaign
        if stop_after is not None and not ends_within(child, stop_after):
            os.killpg(child, signal.SIGINT)  # as a terminal does: to all processes of the call
        _, status = os.waitpid(child, 0)
        end_group(child)
        said.seek(0)
        return Told(os.waitstatus_to_exitcode(status), said.read().decode(errors="replace"))


def ends_within(process: int, seconds: float) -> bool:
    """Waits for so long; returns whether the process has ended."""
    handle = os.pidfd_open(process)
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def end_group(leader: int) -> None:
    """Kills what a call that was killed left running, its workers, and waits until they are gone."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
        for _ in range(500):
            time.sleep(0.01)
            os.killpg(leader, 0)


def executed(words: list[str]) -> int:
    """Executes a call; returns its exit code."""
    sys.argv = ["pipeline", *words]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # as Python itself does
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def warm_up() -> None:
    """Imports what calls import, and compiles what they compile, so that no fork has to."""
    for name in LOADED:
        __import__(f"metric_robustness.pipeline.{name}")
    measures(*torch.zeros(2, 1, 3, 16, 16))
    gc.freeze()


def files_of(folder: Path, pattern: str) -> list[Path]:
    """Returns the files of a kind that are not empty."""
    return sorted(file for file in folder.glob(pattern) if file.is_file() and file.stat().st_size)


def disturb(stage: Stage, how: str, where: Path, random: Random) -> str:
    """Copies a folder of the stage and disturbs it; returns what was done."""
    scenario = stage.scenario
    if how == "kills":
        for _ in range(KILLS):
            for words in scenario.calls(where):
                call(words, lifetime=random.uniform(0.3, 1.0) * stage.seconds)
        return "kills"
    if how == "Ctrl-C":
        for _ in range(KILLS):
            for words in scenario.calls(where):
                interrupt(words, random.uniform(0.1, 1.0) * stage.seconds)
        return "Ctrl-C"
    if how == "full disk":
        largest = round(2 ** random.uniform(5, 14))
        for words in scenario.calls(where):
            told = call(words, largest=largest)
            assert "Traceback" not in told.text, told.text
        return f"no file may hold over {largest} bytes"
    pattern = scenario.kinds[how]
    shutil.copytree(random.choice(stage.having(pattern)), where, dirs_exist_ok=True)
    if scenario.without:
        shutil.rmtree(where / scenario.without, ignore_errors=True)
    file = random.choice(files_of(where, pattern))
    others = [other for other in files_of(where, pattern) if other != file and other.suffix == file.suffix]
    name = random.choice(list(DAMAGES))
    DAMAGES[name](random, file, others)
    return f"{name} in {file.relative_to(where)}"


def interrupt(words: list[str], stop_after: float) -> None:
    """Presses Ctrl-C in the midst of a call: it must stop soon, with one line that says how to go on."""
    at_once = ["--jobs", "2"] if words[0] == "run" else []
    told = call([*words, *at_once], lifetime=stop_after + SECONDS_TO_STOP, stop_after=stop_after)
    assert "Traceback" not in told.text, told.text
    assert told.code in {Exit.DONE, Exit.STOPPED}, f"exit code {told.code} after {stop_after:.3f} s: {told.text}"
    assert told.code == Exit.DONE or STOPPED in told.text, told.text


def trial(stage: Stage, how: str, where: Path, random: Random) -> Verdict:
    """Disturbs the calls, repeats them, and judges what they leave."""
    scenario = stage.scenario
    where.mkdir(parents=True)
    try:
        verdict = Verdict(disturb(stage, how, where, random))
    except AssertionError as error:
        fault = "tracebacks" if "Traceback" in str(error) else "hangs" if "exit code -" in str(error) else "failed"
        return Verdict(how, Counter({fault: 1}), [str(error)])
    for words in scenario.calls(where):
        told = call(words)
        said = told.text
        verdict.texts.append(said)
        if "Traceback" in said:
            verdict.faults["tracebacks"] += 1
        elif told.code < 0:
            verdict.faults["hangs"] += 1
        elif told.code and not (scenario.before and "error: " in said):
            verdict.faults["failed"] += 1
        elif told.code or (scenario.before and "in no manifest.csv" in said):
            return verdict  # refused in one line, as may be, or left out aloud
    if not verdict.faults:
        judge(stage, where, verdict)
    return verdict


def judge(stage: Stage, where: Path, verdict: Verdict) -> None:
    """Compares what the calls left with what undisturbed ones leave."""
    found = result(where)
    for name, whole in stage.whole.items():
        here = found.get(name)
        if here == whole:
            continue
        lines = Counter(here.split(b"\n")) if isinstance(here, bytes) and name.endswith(".csv") else Counter()
        if here is None:
            kind = "lost"
        elif any(count > 1 for line, count in lines.items() if line):
            kind = "doubled"
        else:
            kind = "silently wrong"
        verdict.faults[kind] += 1
        verdict.texts.append(f"{kind}: {name}")
    if more := found.keys() - stage.whole.keys():
        verdict.faults["doubled"] += 1
        verdict.texts.append(f"more than there should be: {sorted(more)}")
    if left := [file for folder in ("out", "store") for file in (where / folder).rglob(WRITING)]:
        verdict.faults["left over"] += 1
        verdict.texts.append(f"left over: {left}")


def campaign(trials: int, seed: int, folder: Path, chosen: set[str], ways: set[str]) -> dict[str, Counter[str]]:
    """Makes trials, kind by kind in turn; prints every fault. Returns by kind how many of each were counted.

    Args:
        trials: How many.
        seed: Of the random numbers.
        folder: Everything happens in it.
        chosen: Names of scenarios; none: all.
        ways: Kinds of disturbance; none: all.
    """
    random = Random(seed)
    known = {name: each for name, each in scenarios(folder).items() if not chosen or name in chosen}
    stages = {
        name: Stage.of(each, folder / name, random, min(12, 2 * trials) if needs_kills(each, ways) else 0)
        for name, each in known.items()
    }
    kinds = [
        (stage, how)
        for stage in stages.values()
        for how, pattern in stage.scenario.kinds.items()
        if stage.having(pattern)
    ]
    for stage in stages.values():
        if not ways and (
            missing := [how for how, pattern in stage.scenario.kinds.items() if not stage.having(pattern)]
        ):
            print(f"not tried, since no call was killed while it was there: {', '.join(missing)}", flush=True)
    kinds += [(stage, how) for stage in stages.values() for how in WITHOUT_DAMAGE if not stage.scenario.without]
    kinds = [(stage, how) for stage, how in kinds if not ways or how in ways]
    counted: dict[str, Counter[str]] = {}

    for number in range(trials):
        stage, how = kinds[number % len(kinds)]
        where = folder / f"trial{number}"
        verdict = trial(stage, how, where, Random(f"{seed} {number}"))
        shutil.rmtree(where)
        counts = counted.setdefault(how, Counter())
        counts["trials"] += 1
        counts.update(verdict.faults)
        if verdict.faults:
            print(
                f"trial {number}: {how}: {verdict.what}: {dict(verdict.faults)}", *verdict.texts, sep="\n", flush=True
            )
    return counted


def needs_kills(scenario: Scenario, ways: set[str]) -> bool:
    """Tells whether there is a file to damage that only a killed call leaves."""
    return not scenario.without and (not ways or not ways.isdisjoint(scenario.kinds))


def run_campaign() -> int:
    """Runs a campaign and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="scenarios with commas")
    parser.add_argument("--how", default="", help="kinds of disturbance with commas")
    given = parser.parse_args()
    chosen, ways = ({name for name in names.split(",") if name} for names in (given.only, given.how))
    warm_up()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        os.environ |= {"METRIC_ROBUSTNESS_PROJECT": folder, "COLUMNS": "120", "HF_HUB_OFFLINE": "1"}
        counted = campaign(given.trials, given.seed, Path(folder), chosen, ways)
    total: Counter[str] = sum(counted.values(), Counter())
    print(f"{'':28}{'trials':>8}", *(f"{name:>15}" for name in COUNTED), sep="")
    for how, counts in [*counted.items(), ("all", total)]:
        print(f"{how:28}{counts['trials']:>8}", *(f"{counts[name]:>15}" for name in COUNTED), sep="")
    return int(any(total[name] for name in COUNTED))


if __name__ == "__main__":
    sys.exit(run_campaign())
