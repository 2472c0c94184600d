"""python -m pipeline image: the container image that the jobs run in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from metric_robustness.pipeline.cli.options import StoreAddress
from metric_robustness.pipeline.terminal import err, out

image = typer.Typer(no_args_is_help=True, help="The container image that the jobs run in: tag, build, run, status.")

Cpu = Annotated[bool, typer.Option("--cpu", help="The image without CUDA.")]
Base = Annotated[str, typer.Option(help="A base image other than the Dockerfile's.")]


@image.command(epilog="Example: python -m pipeline image tag")
def tag(cpu: Cpu = False, base: Base = "") -> None:
    """Prints the tag of this checkout's image: a hash of what it is built from."""
    from metric_robustness.pipeline.gitlab.image import image_tag

    print(image_tag("cpu" if cpu else "cuda", base))


@image.command(epilog="Example: python -m pipeline image build")
def build(
    cpu: Cpu = False,
    base: Base = "",
    index: Annotated[
        str, typer.Option(envvar="PIP_EXTRA_INDEX_URL", help="A package index beside pip's, such as one of CPU builds.")
    ] = "",
) -> None:
    """Builds the image with this machine's Docker."""
    from metric_robustness.pipeline.gitlab.image import build as build_image

    out.print(build_image("cpu" if cpu else "cuda", base, index), markup=False, soft_wrap=True)


@image.command(
    epilog="Example: python -m pipeline image run -- run --metrics niqe --attacks fgsm --device cuda --out build/niqe"
)
def run(
    command: Annotated[list[str], typer.Argument(help="A command of the pipeline with its options, after --.")],
    name: Annotated[str, typer.Option("--image", help="Another image than this checkout's.")] = "",
    gpus: Annotated[str, typer.Option(help="all, none, or numbers or UUIDs with commas.")] = "all",
) -> None:
    """Runs a command of the pipeline in the image, on this checkout."""
    from metric_robustness.pipeline.gitlab.image import run as run_image

    raise typer.Exit(run_image(command, name, gpus))


@image.command(epilog="Example: python -m pipeline image status --env image.env")
def status(
    env: Annotated[Path, typer.Option(help="The dotenv file to write.")],
    store: Annotated[str, typer.Option(help="Where `image record` notes digests; only these count, if it signs.")] = "",
) -> None:
    """Asks the project's container registry whether it has the image; for a job of GitLab."""
    from metric_robustness.pipeline.gitlab.registry import write_status
    from metric_robustness.pipeline.store.images import digest_of
    from metric_robustness.pipeline.store.open import open_store

    opened = open_store(store) if store else None
    trusted = partial(digest_of, opened) if opened and opened.signature.keys else None
    with err.status("asking the registry"):
        found = write_status(env, trusted=trusted)
    for variable, value in found.items():
        out.print(f"{variable}={value}", markup=False, soft_wrap=True)


@image.command(epilog="Example: python -m pipeline image record $IMAGE_TAG $IMAGE --store $STORE")
def record(
    tag: Annotated[str, typer.Argument(help="The tag.")],
    reference: Annotated[str, typer.Argument(help="The image by its digest.")],
    store: StoreAddress,
) -> None:
    """Notes in the result store which image a protected pipeline built for a tag: anybody may push to a registry."""
    from metric_robustness.pipeline.store.images import record as note
    from metric_robustness.pipeline.store.open import open_store

    note(open_store(store), tag, reference)
