"""Every command that README and docs show is run, in the order of its page, on small photographs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import skimage
from PIL import Image
from scratch import ROOT, Tree
from shown_commands import shown_commands

pytestmark = [pytest.mark.slow, pytest.mark.whole]

SERVER = "needs a GitLab server: tests/gitlab and tests/ci call it with one of ours"
NETWORK = "downloads published weights"
WEIGHTS = "needs published weights: tests/metrics runs these metrics"
WORD = "stands in a sentence, without what it needs"
NOT_RUN = {
    "fetch --url https://gitlab.example.org --project group/robustness --raw": SERVER,
    "fetch --raw --url https://gitlab.example.org --project group/robustness --out build/leaderboard": SERVER,
    "fetch --url https://gitlab.example.org --project group/robustness --out build/leaderboard": SERVER,
    "gitlab setup --url https://gitlab.example.org --project group/robustness": SERVER,
    "gitlab setup --url https://gitlab.example.org --project group/robustness --dry-run": SERVER,
    "store prune --store https://gitlab.example.org/api/v4/projects/42 --plan plan/plan.json": SERVER,
    "image build": "needs Docker: tests/containers builds it",
    "weights fetch niqe_official lpips": NETWORK,
    "weights fetch hyperiqa dbcnn linearity maniqa": NETWORK,
    "tradeoff hyperiqa+gradient_norm:0,1e-5,5e-5,2e-4 --images iqa:livec.csv --crop 224 --samples 4000 --epochs 2 "
    "--seeds 1 --device cuda --out build/hyperiqa.csv": "needs a GPU, published weights and rated photographs",
    "train hyperiqa+gradient_norm --images iqa:livec.csv --crop 224 --samples 23250 --epochs 16 --rate 1e-5 "
    "--set strength=5e-5 --device cuda": "needs a GPU, published weights and rated photographs",
    **{
        "run --preset demo --metrics vmaf_video,vmaf_neg_video --attacks adam,apgd --set steps=20 --dataset clips/ "
        f"--frames 3 {codec}--out build/video": WEIGHTS
        for codec in ("", "--codec libx264:crf=23 ")
    },
    "calibrate": WORD,
    "plot": WORD,
    "train": WORD,
    "transfer": WORD,
}

# What a reader puts in place of a word. NAME is what the page had `new` write last.
STANDS_FOR = {
    r"(new (\w+)) NAME": r"\1 my_\2",
    r"METRIC\+(NAME|TRAINING)": "small_cnn+gradient_norm",
    r"NAME --train FOLDER": "cumulative_uap --train kodak/",
    "FOLDER": "photos/",
    "your_folder": "build/yours/images",
    "DIR": "build/demo",
    "kodak24": "kodak/",
}
# What makes a command short: one attack, two metrics, one strength and seed, one photograph, few steps.
SHORTER = {
    r"(--attacks \w+)(,\w+)+": r"\1",
    r"(--metrics [^, ]+,[^, ]+),[^ ]+": r"\1",
    r"(--images \S+)( --images \S+)+": r"\1",
    r"(\+\w+:)[^ ]+,": r"\1",
    r" --limit \d+": "",
    r",\w+ (--attacks adam) --budgets [\d,]+": r" \1 --budgets 4",
    r"(--attacks adam)(?! --budgets)": r"\1 --set steps=10",
    r"^(run (?!.*(--dataset|--from-images|--store)).*)": r"\1 --dataset photos/",
    r"^(run (?!.*(--from-images|--store)).*|transfer .*)": r"\1 --limit 1",
    r"^((plan|run) .*--store .*)": r"\1 --metrics ssim --attacks fgsm",
    r"^(run (?!.*(--attacks|--from-images)).*|transfer .*)": r"\1 --attacks fgsm",
    r"^(.*--train .*)": r"\1 --set crop=64 --set batch=2 --set epochs=1 --set least_steps=2",
    r"^((train|tradeoff) .*)": r"\1 --crop 64 --samples 4 --epochs 1",
    r"^(tradeoff .*)": r"\1 --seeds 1",
}


def here(line: str, name: str, commit: str) -> str:
    """Returns a command as it is run here, with what NAME and COMMIT stand for."""
    for rules in (STANDS_FOR, {"NAME": name, "COMMIT": commit}, SHORTER):
        for shown, instead in rules.items():
            line = re.sub(shown, instead, line)
    return line


def git(tree: Tree, *words: str) -> str:
    """Runs git in a checkout; returns what it prints."""
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *words]
    return subprocess.run(command, cwd=tree.root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Returns a whole checkout with the folders that pages take for granted, none of them large."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("shown") / "tree")
    for folder in ("metrics", "defences", "docs", "results", "docker"):
        shutil.copytree(ROOT / folder, tree.root / folder, dirs_exist_ok=True)
    for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml", "requirements.lock", ".gitignore"):
        shutil.copy(ROOT / name, tree.root)
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "--message", "The benchmark")
    for number, name in enumerate(("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")):
        with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
            small = image.convert("RGB").resize((112, 96))
        folder = tree.root / ("photos" if number < 2 else "kodak")
        folder.mkdir(exist_ok=True)
        small.save(folder / name)
    prepared = "run --metrics ssim,fsim --attacks fgsm --dataset photos/ --out build/demo"
    yours = "run --metrics small_cnn --attacks fgsm --dataset photos/ --limit 1 --save-images --out build/yours"
    for line in (prepared, yours):
        told = tree.call(*shlex.split(line))
        assert told.returncode == 0, told.stderr
    return tree


COMMANDS: dict[str, list[str]] = {}
for page, line in shown_commands():
    COMMANDS.setdefault(page, []).append(line)


def test_every_command_that_is_not_run_is_shown() -> None:
    assert NOT_RUN.keys() <= {line for lines in COMMANDS.values() for line in lines}


@pytest.fixture(scope="module")
def ran() -> set[str]:
    """Returns the commands that were run, since pages share some."""
    return set()


@pytest.mark.parametrize("page", COMMANDS)
def test_the_commands_of_a_page_run_one_after_the_other(page: str, checkout: Tree, ran: set[str]) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    name, failed = "", []
    for line in COMMANDS[page]:
        if line in NOT_RUN:
            continue
        command = here(line, name, commit)
        name = command.split()[2] if command.startswith("new ") else name
        if command not in ran:
            told = checkout.call(*shlex.split(command))
            failed += [f"{line}, run as {command}: {told.stderr}"] if told.returncode else []
            ran.add(command)
    assert failed == []
