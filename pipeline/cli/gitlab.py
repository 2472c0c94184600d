"""python -m pipeline gitlab: the project's settings on a GitLab server."""

from __future__ import annotations

from typing import Annotated

import typer

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.terminal import err, out

gitlab = typer.Typer(no_args_is_help=True, help="The project's settings on a GitLab server.")


@gitlab.callback()
def group() -> None:
    """The project's settings on a GitLab server."""


@gitlab.command(
    epilog="Example: python -m pipeline gitlab setup --url https://gitlab.example.org --project group/name --dry-run"
)
def setup(
    url: Annotated[str, typer.Option(envvar="CI_SERVER_URL", help="The GitLab server.")],
    project: Annotated[str, typer.Option(envvar="CI_PROJECT_ID", help="Number or path.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, change nothing.")] = False,
    cron: Annotated[str, typer.Option(help="When the nightly runs.")] = "0 1 * * *",
    timezone: Annotated[str, typer.Option(help="Of the schedule.")] = "UTC",
    preset: Annotated[str, typer.Option(help="What the nightly runs.")] = "nightly",
    job_push: Annotated[
        bool, typer.Option("--job-push", help="Let jobs push with their own token: publishing without a project token.")
    ] = False,
) -> None:
    """Sets schedule, variables and settings as the pipeline needs them; what is so already stays as it is.

    GITLAB_TOKEN must be that of a maintainer, with the scope api.
    """
    from metric_robustness.pipeline.gitlab.setup import Nightly, carry_out, plan_setup
    from metric_robustness.pipeline.gitlab.steps import to_table

    with err.status("reading the project"):
        steps = plan_setup(url=url, project=project, nightly=Nightly(cron, timezone, {"PRESET": preset}), push=job_push)
    out.print(to_table(steps))
    changes = sum(step.change is not None for step in steps)
    if dry_run:
        out.print(f"{changes} changes; nothing was sent")
        return
    with err.status("changing settings"):
        carry_out(steps)
    out.print(f"{changes} changes made")


@gitlab.command(epilog="Example: python -m pipeline gitlab runner rtx3090 > config.toml")
def runner(
    tag: Annotated[str, typer.Argument(help="A kind of GPU, one of `runners` in benchmark.yml.")],
) -> None:
    """Prints the config.toml of GitLab Runner for one machine with GPUs of a kind."""
    from metric_robustness.pipeline import config
    from metric_robustness.pipeline.gitlab.runner import runner_configuration

    known = config.load().runners
    if tag not in known:
        raise BenchError(f"no runner is named {tag!r} in benchmark.yml: {suggestion(tag, known)}")
    print(runner_configuration(tag, known[tag]), end="")
