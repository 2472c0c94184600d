"""python -m pipeline train and tradeoff: networks of our own, and what a robust training costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.cells.settings import Settings, parse_overrides
from metric_robustness.pipeline.cli.options import OWN, register
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.terminal import out
from metric_robustness.pipeline.train.recipes import Recipe, find_recipe

if TYPE_CHECKING:
    from metric_robustness.pipeline.train.loop import Epoch
    from metric_robustness.pipeline.train.tradeoff import TradeoffPoint


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, OWN, train, "train small_cnn --images data/kodak24 --out small_cnn.safetensors")
    register(app, OWN, tradeoff, "tradeoff small_cnn+gradient_norm:0,1e-6,1e-5 --images data/kodak24 --out t.csv")


def train(
    name: Annotated[
        str,
        typer.Argument(
            help="small_cnn, small_vit, dncnn_small, diffpure_small, fcn; or METRIC+TRAINING: any metric, made robust."
        ),
    ],
    images: Annotated[
        list[str],
        typer.Option(
            "--images",
            help="A folder, a file or a data set of photographs; for metrics also images that people rated, as iqa:CSV "
            "with the columns image, mos and, where there is one, reference. May be repeated.",
        ),
    ],
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The file of weights to write, ending in .safetensors; METRIC+TRAINING has its place."
        ),
    ] = None,
    work: Annotated[
        Path, typer.Option(help="Where samples and checkpoints are kept; the same call continues there.")
    ] = Path("build/train"),
    seed: Annotated[int, typer.Option(min=0, help="Of weights, samples and their order.")] = 0,
    samples: Annotated[int | None, typer.Option(min=2, help="Crops to train on; default: the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over them; default: the recipe's.")] = None,
    crop: Annotated[
        int | None,
        typer.Option(min=64, help="Side of the crops, and of what a step sees of them; default: the recipe's."),
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Of learning; default: the recipe's.")] = None,
    attacked: Annotated[
        list[Path] | None,
        typer.Option("--attacked", help="For fcn: a folder of attacked photographs, as run --save-images writes them."),
    ] = None,
    attacks: Annotated[str, typer.Option(help="For fcn, instead: attacks to make them with, with commas.")] = "",
    metrics: Annotated[str, typer.Option(help="The metrics that are attacked then.")] = "small_cnn",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="For METRIC+TRAINING: a setting of the training, such as strength=1e-5."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Trains one of our metrics or defences on photographs. Continues if stopped."""
    recipe = replace(find_recipe(name), seed=seed)
    _require_used(recipe, {"harden": {"--set": settings}, "restore": {"--attacked": attacked, "--attacks": attacks}})
    if samples:
        recipe = replace(recipe, samples=samples, validation=max(samples // 6, 2))
    recipe = replace(recipe, epochs=epochs or recipe.epochs, rate=recipe.rate if rate is None else rate)
    if crop:
        recipe = replace(recipe, crop=crop, window=crop)
    if settings:
        recipe = replace(recipe, settings=parse_overrides(settings))
    out_file = out_file or default_out(name)
    if out_file.suffix != ".safetensors":
        raise BenchError(f"--out must end in .safetensors; got {out_file}: add it")
    # Imported here, since torch takes seconds and every other command loads this file too.
    from metric_robustness.pipeline.isolation.starter import starter
    from metric_robustness.pipeline.isolation.watch import call

    starter()
    if attacks:
        used, against = ([part.strip() for part in names.split(",")] for names in (attacks, metrics))
        attacked = [*(attacked or []), attack_photographs(images, used, against, work)]
    last = call(f"the training of {name}", _train_with_bar, recipe, images, out_file, work, attacked, device)
    out.print(f"{last.summary} on photographs held out", markup=False, soft_wrap=True)
    out.print(f"weights are in {out_file}", markup=False, soft_wrap=True)


def tradeoff(
    trainings: Annotated[
        list[str],
        typer.Argument(help="METRIC+TRAINING:STRENGTHS, such as small_cnn+gradient_norm:0,1e-6,1e-5; 0 is no defence."),
    ],
    images: Annotated[
        list[str], typer.Option("--images", help="A folder, a file or a data set of photographs; may be repeated.")
    ],
    out_file: Annotated[
        Path, typer.Option("--out", help="The table to write, a .csv; a .svg of the same name shows it.")
    ],
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings of each strength.")] = 3,
    work: Annotated[
        Path, typer.Option(help="Where samples, checkpoints and points are kept; the same call continues there.")
    ] = Path("build/train"),
    samples: Annotated[int | None, typer.Option(min=2, help="Crops to train on; default: the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over them; default: the recipe's.")] = None,
    crop: Annotated[int | None, typer.Option(min=64, help="Side of the crops; default: the recipe's.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Of learning; default: the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Trains a metric at several strengths of a robust training, and shows what that costs. Continues if stopped."""
    if out_file.suffix != ".csv":
        raise BenchError(f"--out must end in .csv; got {out_file}: rename it")
    from metric_robustness.pipeline.isolation.watch import call
    from metric_robustness.pipeline.train.tradeoff import parse
    from metric_robustness.pipeline.train.tradeoff_report import write

    wanted = {"samples": samples, "epochs": epochs, "crop": crop, "window": crop, "rate": rate}
    change = {name: value for name, value in wanted.items() if value is not None}
    if samples:
        change["validation"] = max(samples // 6, 2)
    points = call("a training", _trade_off_with_bar, parse(trainings), seeds, images, work, change, device)
    write(points, out_file)
    out.print(f"wrote {out_file} and {out_file.with_suffix('.svg')}", markup=False, soft_wrap=True)


def _require_used(recipe: Recipe, options: Mapping[str, Mapping[str, object]]) -> None:
    """Checks that no option is given that a training would pass over.

    Args:
        recipe: Of the training.
        options: By the task that alone uses them: the options, and what is given for them.

    Raises:
        BenchError: If there is one.
    """
    users = {"harden": "METRIC+TRAINING", "restore": "fcn"}
    for task, given in options.items():
        for option, value in given.items():
            if value and recipe.task != task:
                raise BenchError(f"{option} is for {users[task]}; {recipe.network} does not use it: leave it out")


def _train_with_bar(
    recipe: Recipe, images: list[str], out_file: Path, work: Path, attacked: list[Path] | None, device: str
) -> Epoch:
    """Trains in a process of its own, since the code of entries runs in it."""
    from metric_robustness.pipeline.cli.progress import TrainingBar
    from metric_robustness.pipeline.train.run import train_network

    with TrainingBar() as bar:
        return train_network(recipe, images, out_file, work, attacked, device=device, listener=bar)


def _trade_off_with_bar(
    trainings: dict[str, list[str]], seeds: int, images: list[str], work: Path, change: dict[str, float], device: str
) -> list[TradeoffPoint]:
    """Trains at several strengths in a process of its own, since the code of entries runs in it."""
    from metric_robustness.pipeline.cli.progress import TrainingBar
    from metric_robustness.pipeline.train.tradeoff import trade_off

    with TrainingBar() as bar:
        return trade_off(trainings, seeds, images, work, change, device=device, listener=bar)


def default_out(name: str) -> Path:
    """Returns where the catalogue looks for the weights of METRIC+TRAINING.

    Raises:
        BenchError: If the name is that of a network: its weights are committed, and no call replaces them unasked.
    """
    if "+" not in name:
        raise BenchError(f"--out must name the file of {name}'s weights; got none: add it")
    metric = find("metrics", name)
    return metric.weights_file(metric.fields["weights"][-1])


def attack_photographs(sources: list[str], attacks: list[str], metrics: list[str], work: Path) -> Path:
    """Runs attacks on metrics, as `run --save-images` does, and returns the folder of the attacked photographs.

    Args:
        sources: Folders, files or data sets of photographs.
        attacks: Names of attacks, run with their default settings.
        metrics: Names of the metrics that are attacked.
        work: Where the run lies, so that the same call repeats no work.

    Raises:
        BenchError: If a name or a source is unknown.
        DataError: If an attack failed.
    """
    from metric_robustness.pipeline.engine.machine import Machine
    from metric_robustness.pipeline.engine.run import run
    from metric_robustness.pipeline.engine.selection import Selection
    from metric_robustness.pipeline.library.progress import RunProgress

    out = work / f"attacked-{digest(repr((sources, attacks, metrics)).encode())[:12]}"
    with RunProgress(1) as progress:
        summary = run(
            Selection(metrics, attacks, sources),
            Settings(variants=False),
            Machine(out, save_images=True, replace=True),
            progress,
        )
    if summary.reasons:
        (metric, attack), reason = next(iter(summary.reasons.items()))
        raise DataError(f"photographs must be attacked by {attack} on {metric} to learn from; {reason}")
    return out / "images"
