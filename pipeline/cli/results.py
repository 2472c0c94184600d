"""The commands that bring results to readers: aggregate, publish, fetch, share. They also run on a laptop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metric_robustness.pipeline.cli.options import BEHIND, RESULTS, StoreAddress, register
from metric_robustness.pipeline.terminal import counted, err, out


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, BEHIND, aggregate, "aggregate --plan build/plan/plan.json --store build/store --out build/tables")
    register(app, BEHIND, publish, "publish build/tables --url https://gitlab.example.org --project group/robustness")
    register(
        app, RESULTS, fetch, "fetch --url https://gitlab.example.org --project group/robustness --raw --out leaderboard"
    )
    register(app, RESULTS, share, "share build/made/images --out build/attacked-photographs")


def aggregate(
    plan_file: Annotated[Path, typer.Option("--plan", help="The plan.json of `plan`.")],
    store: StoreAddress,
    out_folder: Annotated[Path, typer.Option("--out", help="Where the tables go.")],
    rows: Annotated[Path, typer.Option(help="Where the rows go, as `run` leaves them.")] = Path("build/rows"),
) -> None:
    """Gathers the planned cells from the store, and writes tables, rows.zip and a JUnit report."""
    from metric_robustness.pipeline.ci.aggregate import aggregate as gather
    from metric_robustness.pipeline.ci.estimates import Experience
    from metric_robustness.pipeline.ci.plan_file import read_plan
    from metric_robustness.pipeline.scoring.tables.write import print_leaderboard, require_no_other_rows
    from metric_robustness.pipeline.site.build import require_own_pages
    from metric_robustness.pipeline.store.open import open_store

    require_no_other_rows(out_folder, [rows])
    require_own_pages(out_folder)
    with err.status("gathering"):
        found = gather(read_plan(plan_file), open_store(store), Experience.read(), rows, out_folder)
    print_leaderboard(found.board, out)
    err.print(f"the tables are in {out_folder}", markup=False, soft_wrap=True)
    if found.failed:
        err.print(f"{counted(len(found.failed), 'cell')} failed: the tables say why")


def publish(
    tables: Annotated[Path, typer.Argument(help="The folder that `aggregate` wrote.")],
    branch: Annotated[str, typer.Option(help="The branch to commit to.")] = "main",
    url: Annotated[str, typer.Option(help="The GitLab server; default: the job's.")] = "",
    project: Annotated[str, typer.Option(help="Number or path; default: the job's.")] = "",
) -> None:
    """Commits the tables to results/, in one commit that starts no pipeline; no commit if nothing changed.

    The token is in BENCHMARK_PUBLISH_TOKEN; without one, a job pushes with its CI_JOB_TOKEN.
    """
    from metric_robustness.pipeline.gitlab.publish import publish as commit

    with err.status("publishing"):
        made = commit(tables, branch=branch, url=url, project=project)
    done = (
        f"committed {made.commit[:12]} to {branch}: {made.changes}" if made.commit else f"{branch} holds these tables"
    )
    out.print(done, markup=False, soft_wrap=True)


def fetch(
    out_folder: Annotated[Path, typer.Option("--out", help="Where the files go.")] = Path("leaderboard"),
    ref: Annotated[str, typer.Option(help="The branch or tag whose newest tables are wanted.")] = "main",
    raw: Annotated[bool, typer.Option("--raw", help="Also the rows of every cell.")] = False,
    url: Annotated[str, typer.Option(envvar="CI_SERVER_URL", help="The GitLab server.")] = "",
    project: Annotated[str, typer.Option(envvar="CI_PROJECT_ID", help="Number or path.")] = "",
) -> None:
    """Downloads the latest leaderboard, or the raw rows, from GitLab; continues where it was interrupted.

    A public project needs no token; for others set GITLAB_TOKEN.
    """
    from metric_robustness.pipeline.cli.progress import downloading
    from metric_robustness.pipeline.gitlab.fetch import fetch as download
    from metric_robustness.pipeline.scoring.tables.write import require_no_other_rows

    require_no_other_rows(out_folder)
    found = download(ref, raw=raw, out=out_folder, url=url, project=project, shown=downloading)
    files = f"{counted(len(found.files), 'file')}, {found.new} of them new, in {out_folder}"
    out.print(files + (f"; the rows are in {found.rows}" if found.rows else ""), markup=False, soft_wrap=True)


def share(
    images: Annotated[Path, typer.Argument(help="The folder that `run --save-images` wrote.")],
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder.")],
) -> None:
    """Copies saved attacked images to a folder that Hugging Face's `datasets` loads, with a table of what they are."""
    from metric_robustness.pipeline.engine.saved.share import share as copy

    with err.status("copying"):
        count = copy(images, out_folder)
    err.print(f"{count} attacked images are in {out_folder}", markup=False, soft_wrap=True)
