"""The command line: python -m pipeline COMMAND."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

try:
    from metric_robustness.pipeline import places
except ImportError as gone:  # a checkout without its links
    sys.exit(f"error: {gone}")

from metric_robustness.pipeline.cli import (
    calibrate,
    doctor,
    entries,
    fit,
    plan,
    results,
    review,
    run,
    scores,
    train,
    transfer,
)
from metric_robustness.pipeline.cli.data import data
from metric_robustness.pipeline.cli.gitlab import gitlab
from metric_robustness.pipeline.cli.image import image
from metric_robustness.pipeline.cli.options import BEHIND, HERE
from metric_robustness.pipeline.cli.pages import docs_pages
from metric_robustness.pipeline.cli.store import store
from metric_robustness.pipeline.cli.weights import weights
from metric_robustness.pipeline.errors import BenchError, Exit
from metric_robustness.pipeline.isolation.interrupt import press_lost_interrupts_again
from metric_robustness.pipeline.terminal import err, out

PROGRAM = "metric-robustness"  # what an installation calls this

app = typer.Typer(
    help="Measures how far adversarial attacks can move image- and video-quality metrics.",
    no_args_is_help=True,
    add_completion=Path(sys.argv[0]).name == PROGRAM,  # a shell completes programs, not `python -m pipeline`
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

for group in (entries, run, transfer, scores, fit, train, calibrate, doctor, docs_pages, plan, results, review):
    group.add_to(app)
for name, (commands, panel) in {
    "weights": (weights, HERE),
    "data": (data, HERE),
    "image": (image, BEHIND),
    "store": (store, BEHIND),
    "gitlab": (gitlab, BEHIND),
}.items():
    app.add_typer(commands, name=name, rich_help_panel=panel)


def _print_version(wanted: bool) -> None:  # Typer calls it so
    if wanted:
        out.print(f"{PROGRAM} {places.version()}", markup=False)
        raise typer.Exit


@app.callback()
def choose_project(
    project: Annotated[
        Path | None,
        typer.Option(
            help="The folder of data/, results/ and metrics, attacks and defences of your own; default: the working "
            "directory, or the checkout that it lies in. METRIC_ROBUSTNESS_PROJECT does the same.",
        ),
    ] = None,
    include: Annotated[
        list[Path] | None,
        typer.Option(
            help="A further folder of metrics/, attacks/ or defences/; may be repeated. METRIC_ROBUSTNESS_INCLUDE does "
            "the same.",
        ),
    ] = None,
    version: Annotated[  # its callback prints it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Takes the options that stand before the command."""
    if project is not None:
        os.environ[places.PROJECT] = str(project)
        os.environ[places.PROJECT] = str(places.project())
    if include:
        os.environ[places.INCLUDE] = os.pathsep.join(str(folder.expanduser().resolve()) for folder in include)
        places.included()


def main() -> NoReturn:
    """Runs the command line; a user's mistake is one line and an exit code, never a traceback."""
    press_lost_interrupts_again()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError):  # a stream that the caller opened in a way that cannot be changed
                stream.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal cannot show
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # here, where a full disk can still be told
    except BenchError as error:
        err.print(places.with_own_command(f"error: {error}"), markup=False, soft_wrap=True)
        code = error.exit_code
    except typer.TyperException as error:
        if message := error.format_message():  # it is empty where the help was shown instead
            err.print(f"error: {message}", markup=False, soft_wrap=True)
        code = Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        code = Exit.STOPPED
    except BrokenPipeError:
        code = Exit.DONE
        _drop_answer()
    except OSError as error:  # what no room turned into one line: the machine refused something
        _drop_answer()
        what = f"{error.filename}: " if error.filename else ""
        err.print(f"error: {what}{error.strerror or error}: {_remedy(error)}", markup=False, soft_wrap=True)
        code = Exit.TRANSIENT
    if code == Exit.STOPPED:  # Typer returns it where it caught Ctrl-C itself
        err.show_cursor()  # a worker that was stopped left it hidden below its bar
        err.print("stopped; run the same command again to continue")
    sys.exit(int(code or 0))


def _drop_answer() -> None:
    """Leaves nothing in standard output that Python would try to write once more at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _remedy(error: OSError) -> str:
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return "allow more open files with ulimit -n, and run again"
    return "see to the disk or what the output is piped to, and run again"


if __name__ == "__main__":
    main()
