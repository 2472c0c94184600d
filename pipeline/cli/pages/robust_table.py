"""The section of docs/defences.md about robust training: the trainings, their metrics, and what they cost."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import fmean

from metric_robustness.pipeline.catalogue.lookup import entries
from metric_robustness.pipeline.places import CODE

POINTS = CODE / "docs" / "robust_training.csv"  # written by `python -m pipeline tradeoff`


BOARD = CODE / "docs" / "robust_training_board.csv"  # the leaderboard.csv of the command in STRONG
COMPARED = ("noise", "ifgsm", "mifgsm", "korhonen", "madc", "apgd", "adam")

HEAD = """
## Robust training

A training changes the metric instead of the image. `python -m pipeline train METRIC+TRAINING --images FOLDER` goes on
from the metric's own weights, on distorted photographs and scenes made of them, and writes those of METRIC+TRAINING, a
metric like any other from then on: `list`, `run`, `plan` and `check` find it by its file. Any differentiable
no-reference metric with weights can be trained. `run --defences TRAINING` shows it what attacked the bare metric.
With `--images iqa:CSV` it learns what people said of images instead: the columns are `image`, `mos` (higher is better)
and, where there are originals, `reference`; all versions of an original are held out together.

The strength of `gradient_norm` means the same for every metric: before the first step the norm is measured on 32 of the
crops, shown, and written beside the weights as `before`; the penalty counts it in parts of that, and qualities in parts
of their own spread. `--set before=170` measures nothing.

### The metrics of the paper

Liu et al. trained [HyperIQA, DBCNN, LinearityIQA and MANIQA](https://arxiv.org/abs/2403.11397) on LIVE Challenge: 25
crops of 224 pixels of each image, batches of 16, 16 epochs, strength 1e-3 in their unit. Here they are `hyperiqa`,
`dbcnn`, `linearity` and `maniqa`, which begin with weights trained on KonIQ-10k:

```
python -m pipeline weights fetch hyperiqa dbcnn linearity maniqa
python -m pipeline tradeoff hyperiqa+gradient_norm:0,1e-5,5e-5,2e-4 --images iqa:livec.csv --crop 224 \\
  --samples 4000 --epochs 2 --seeds 1 --device cuda --out build/hyperiqa.csv        # choose a strength
python -m pipeline train hyperiqa+gradient_norm --images iqa:livec.csv --crop 224 --samples 23250 --epochs 16 \\
  --rate 1e-5 --set strength=5e-5 --device cuda
```

23,250 samples are the paper's 25 crops of 930 images, and 16 epochs of them 46,500 steps of 8 crops. A step takes two
forward and three backward passes, where a plain training takes one of each. `maniqa` takes crops of 224 pixels;
`linearity` scales every crop to 498x664, whatever its size. None of this was run: choose the strength by the trade-off,
as the table below was made for `small_cnn`, and report its SROCC beside the gain.
"""


COST = """
### What robustness costs

A metric that says less also gains less under attack. So every line has the agreement with the labels (SROCC), the
deviation of the metric's scores over distorted crops, and the gain in such deviations, beside the mean l1 norm of the
gradient and the mean gain of I-FGSM at 4/255. Scores are 0 to 100; in brackets, parts of what strength 0 has, which is
trained alike without a defence. All on photographs held out, means over the seeds, with the lowest and highest SROCC.
The default strength of `gradient_norm` is the one that at least halves the norm while SROCC stays within .05. Kodak's
photographs and five of scikit-image's made it, on one thread, in about five minutes:

```
python -m pipeline tradeoff small_cnn+gradient_norm:0,5e-6,1e-5,2e-5,5e-5,1e-4 small_cnn+adversarial_training:1 \\
  --images kodak24 --images astronaut.png --images chelsea.png --images coffee.png --images rocket.jpg \\
  --images motorcycle_left.png --out docs/robust_training.csv
```

![SROCC against gradient norm and gain; the strength beside each point](robust_training.svg)

"""


STRONG = """
### Under the strong suite

I-FGSM at 4/255, which the table above measures, is not the worst that can be done. These are the absolute gains within
10/255, in parts of the range, of attacks of the base suite and of the strong one; the worst case is the largest on each
image. Under I-FGSM `gradient_norm` is ahead of `adversarial_training` by 19 %, in the worst case by 10 %, and their
intervals overlap. Some of the eight photographs trained these networks, so this compares attacks and ranks nothing.

```
python -m pipeline run --preset demo --limit 8 --out build/robust \\
  --metrics small_cnn,small_cnn+gradient_norm,small_cnn+adversarial_training \\
  --attacks noise,ifgsm,mifgsm,korhonen,madc,apgd,adam
cp build/robust/leaderboard.csv docs/robust_training_board.csv
```

"""


def robust_training() -> str:
    """Returns the section of docs/defences.md, with the costs if they were measured."""
    from metric_robustness.pipeline.scoring.tables.markdown_text import table

    trained = [entry for entry in entries("metrics").values() if entry.trained and entry.defence]
    rows = [
        (
            entry.name,
            entry.title,
            ", ".join(f"{name} {value}" for name, value in entry.settings.items()),
            ", ".join(metric.name for metric in trained if metric.defence and metric.defence.name == entry.name),
            entry.fields["licence"],
        )
        for entry in entries("defences").values()
        if entry.kind == "training" and not entry.problem
    ]
    return (
        f"\n{HEAD}\n{table(('training', 'what it does', 'settings', 'metrics', 'licence'), rows, links=True)}"
        + costs(POINTS)
        + strong(BOARD)
    )


def costs(points: Path) -> str:
    """Returns the table of a trade-off, a line per training and strength; empty where there is no file."""
    if not points.is_file():
        return ""
    from metric_robustness.pipeline.scoring.tables.markdown_text import table

    with points.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    groups: dict[tuple[str, float], list[dict[str, str]]] = {}
    for point in found:
        groups.setdefault((point["training"], float(point["strength"])), []).append(point)
    rows = []
    for (training, strength), group in groups.items():
        metric = training.partition("+")[0]  # at strength 0 all trainings of a metric are equal
        bare = next((other for (name, of), other in groups.items() if not of and name.startswith(f"{metric}+")), group)
        agreement = [float(point["srocc"]) for point in group]
        rows.append(
            (
                training,
                f"{strength:g}",
                str(len(group)),
                f"{fmean(agreement):.3f} ({min(agreement):.3f} to {max(agreement):.3f})",
                *(_with_share(group, bare, measure, digits) for measure, digits in (("norm", 0), ("gain", 1))),
                f"{_mean(group, 'spread'):.1f}",
                f"{_mean(group, 'gain') / _mean(group, 'spread'):.2f}",
            )
        )
    columns = ("training", "strength", "seeds", "SROCC", "norm", "gain", "deviation", "gain / deviation")
    return f"\n{COST}{table(columns, rows)}"


def strong(board: Path) -> str:
    """Returns the table of robustly trained metrics under both suites; empty where there is no file."""
    if not board.is_file():
        return ""
    from metric_robustness.pipeline.scoring.tables.format import with_margin
    from metric_robustness.pipeline.scoring.tables.markdown_text import table

    with board.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    rows = [
        (
            line["metric"],
            *(f"{float(line[f'{name}_absolute_gain']):.3f}" for name in COMPARED),
            with_margin(*_worst(line)),
        )
        for line in lines
    ]
    return f"\n{STRONG}{table(('metric', *COMPARED, 'worst case'), rows)}\n"


def _worst(line: dict[str, str]) -> tuple[float, tuple[float, float]]:
    value, low, high = (float(line[f"worst_case_absolute_gain{end}"]) for end in ("", "_low", "_high"))
    return value, (low, high)


def _with_share(group: list[dict[str, str]], bare: list[dict[str, str]], measure: str, digits: int) -> str:
    value = _mean(group, measure)
    return f"{value:.{digits}f} ({value / _mean(bare, measure):.2f})"


def _mean(group: list[dict[str, str]], measure: str) -> float:
    return fmean(float(point[measure]) for point in group)
