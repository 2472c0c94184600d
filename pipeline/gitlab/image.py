"""The job image on this machine: its tag, building it, and running a command in it, through Docker's own SDK."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from docker.client import DockerClient  # the SDK has no types
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, Mount
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from metric_robustness.pipeline.config import data_folder
from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.files import digest, file_digest, plain_errors
from metric_robustness.pipeline.places import CODE
from metric_robustness.pipeline.terminal import err

Variant = Literal["cuda", "cpu"]

NAME = "metric-robustness"
DOCKERFILE = "docker/Dockerfile"
HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?"
WORD = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?:{HOST}/)?{WORD}(?:/{WORD})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
LONGEST = 255  # characters of a reference, as registries limit it
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DEVICES = re.compile(r"all|none|[0-9A-Za-z-]+(?:,[0-9A-Za-z-]+)*")


def image_tag(variant: Variant = "cuda", base: str = "", root: Path = CODE) -> str:
    """Returns the image's tag: the variant and a hash of all that the image is made from.

    Comments, blank lines and the order of packages do not count.

    Args:
        variant: What torch is built for.
        base: Another base image than the Dockerfile's.
        root: The checkout.

    Raises:
        BenchError: If `base` is no reference of an image, or a file is missing or damaged.
    """
    try:
        dockerfile = _meaning((root / DOCKERFILE).read_text(encoding="utf-8"), comment=r"^\s*#")
        lock = _meaning((root / "requirements.lock").read_text(encoding="utf-8"), comment=r"(^|\s)#")
        wanted = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    except (OSError, KeyError, ValueError) as error:
        raise BenchError(
            f"the image's tag needs {DOCKERFILE}, requirements.lock and pyproject.toml: {error}"
        ) from error
    parts = [dockerfile, sorted(lock), sorted(wanted), variant, reference(base) if base else ""]
    return f"{variant}-{digest(json.dumps(parts).encode())[:16]}"


def reference(text: str) -> str:
    """Returns the reference of an image unchanged.

    Raises:
        BenchError: If it is not of the form `HOST[:PORT]/PATH[:TAG][@DIGEST]`, with the path in lower case.
    """
    if len(text) > LONGEST or not REFERENCE.fullmatch(text):
        raise BenchError(f"an image must be written HOST/PATH:TAG, in lower case; got {text!r}: correct it")
    return text


def build_arguments(variant: Variant = "cuda", base: str = "", index: str = "", root: Path = CODE) -> dict[str, str]:
    """Returns the Dockerfile's arguments, which the image's labels and the stamps record.

    Raises:
        BenchError: If `index`, an address of more packages, holds a password or is no address, or if a CPU image is
            asked for without one.
    """
    if variant == "cpu" and not index:
        raise BenchError("a CPU image must know an index with CPU builds of torch; got none: give its address")
    address = urlsplit(index)
    if index and (address.scheme not in {"https", "http"} or not address.hostname or address.password):
        raise BenchError("a package index must be an http(s) address without a password: the image's layers keep it")
    return {
        "VARIANT": variant,
        "IMAGE_TAG": image_tag(variant, base, root),
        "LOCK_SHA256": file_digest(root / "requirements.lock"),
        "COMMIT": _commit(root),
        **({"BASE_IMAGE": base} if base else {}),
        **({"PIP_EXTRA_INDEX_URL": index} if index else {}),
    }


def build(variant: Variant = "cuda", base: str = "", index: str = "", root: Path = CODE) -> str:
    """Builds the image, prints the progress, and returns its reference.

    Raises:
        BenchError: If an argument is wrong.
        DataError: If a step of the Dockerfile fails.
        TransientError: If Docker does not answer, or stops before the image is there.
    """
    arguments = build_arguments(variant, base, index, root)
    image = f"{NAME}:{arguments['IMAGE_TAG']}"
    step = "before the first step"
    with _docker() as client:
        for event in client.api.build(
            path=str(root),
            dockerfile=DOCKERFILE,
            tag=image,
            buildargs=arguments,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=None,  # a step that downloads torch prints nothing for minutes
        ):
            if "error" in event:
                raise DataError(f"image {image} cannot be built ({step}): {_fault(event)}")
            for text in _spoken(event):
                if text.startswith("Step "):
                    step = text
                err.print(text, markup=False, soft_wrap=True)
        if not client.images.list(name=image):
            raise TransientError(f"Docker stopped before image {image} was there ({step}): build it again")
    return image


def run(
    command: Sequence[str],
    image: str = "",
    gpus: str = "all",
    root: Path = CODE,
) -> int:
    """Runs `python -m pipeline COMMAND` in the image, on this checkout, and returns its exit code.

    The container has the checkout, and the folders outside it that the command names, at the same paths as the caller.
    It can write to the checkout and to what follows --out, and only read the rest, data and weights. It has the user of
    the caller and no network, and is gone when this returns, also after Ctrl-C or SIGTERM.

    Args:
        command: What follows `python -m pipeline`.
        image: Its reference; by default the one of this checkout that `build` makes for CUDA.
        gpus: all, none, or numbers or UUIDs with commas.
        root: The checkout; must be the working directory.

    Raises:
        BenchError: If an argument is wrong, the image is not there, or Docker refuses, as it does without a GPU.
        TransientError: If Docker does not answer.
    """
    if Path.cwd() != root:
        raise BenchError(f"the working directory must be the checkout; got {Path.cwd()}: cd {root}")
    image = reference(image) if image else f"{NAME}:{image_tag(root=root)}"
    with _docker() as client, _ending_at(signal.SIGTERM):
        # A name of our own, so that Ctrl-C while Docker makes the container leaves none behind.
        name = f"{NAME}-{uuid4().hex[:12]}"
        try:
            container = client.containers.create(
                image,
                ["python", "-m", "pipeline", *command],
                name=name,
                user=f"{os.getuid()}:{os.getgid()}",
                environment={"USER": "bench"},  # the user has no name there, which Python's getpass does not accept
                working_dir=str(root),
                mounts=_mounts(command, root),
                device_requests=_devices(gpus),
                network_mode="none",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                init=True,  # a first process that forwards signals and reaps the children of --jobs
            )
            container.start()
            _copy_output(container)
            return int(container.wait()["StatusCode"])
        finally:
            _remove(client, name)


def _meaning(text: str, comment: str) -> list[str]:
    """Returns the lines without comments, blank lines and trailing blanks."""
    lines = (re.split(comment, line, maxsplit=1)[0].rstrip() for line in text.splitlines())
    return [line for line in lines if line]


def _commit(root: Path) -> str:
    """Returns the checked-out commit, or nothing outside a checkout; not by `engine.device`, which imports torch."""
    git = shutil.which("git")
    if git is None:
        return os.environ.get("CI_COMMIT_SHA", "")
    found = subprocess.run([git, "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _spoken(event: dict[str, Any]) -> list[str]:
    """Returns the lines that an event of the build says to people; the percentages of a download say nothing.

    Docker paints red what a step writes to stderr, whether or not anybody sees it on a terminal.
    """
    text = event.get("stream", "" if event.get("progressDetail") else event.get("status", ""))
    lines = (line.rstrip() for line in COLOUR.sub("", text).splitlines())
    return [line for line in lines if line]


def _fault(event: dict[str, Any]) -> str:
    """Returns why a build failed; where a step did, Docker's own text repeats all of its command."""
    code = event.get("errorDetail", {}).get("code")
    return f"it ended with {code}, see above" if code else _one_line(event["error"])


def _mounts(command: Sequence[str], root: Path) -> list[Any]:
    """Returns what the container sees: checkout and output to write to; data, weights and COMMAND's files to read."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    readable = {
        "/data": data_folder(),
        "/weights/torch": Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser(),
        "/weights/huggingface": Path(os.environ.get("HF_HOME", cache / "huggingface")).expanduser(),
        "/weights/clip": Path("~/.cache/clip").expanduser(),
    }
    outputs = {str(path): path for path in _outputs(command)}
    words = [*command, *(word.partition("=")[2] for word in command if word.startswith("--"))]
    named = {str(path): path for path in map(_absolute, filter(None, words)) if path.exists()}
    readable |= {target: path for target, path in named.items() if target not in outputs}
    for path in outputs.values():
        with plain_errors(path):
            path.mkdir(parents=True, exist_ok=True)  # Docker mounts no folder that is missing
    return [
        Mount(str(root), str(root), type="bind"),
        *(
            Mount(target, str(path.resolve()), type="bind", read_only=target not in outputs)
            for target, path in (readable | outputs).items()
            if path.exists() and not Path(target).is_relative_to(root)
        ),
    ]


def _absolute(path: str) -> Path:
    """Returns a path from the root, without its dots; links stay, since the command will name them."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links


def _outputs(command: Sequence[str]) -> Iterator[Path]:
    """Yields the folders that follow --out."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == "--out" and following:
            yield _absolute(following)
        elif word.startswith("--out="):
            yield _absolute(word.removeprefix("--out="))


def _devices(gpus: str) -> list[Any]:
    """Returns the request for GPUs, empty for none."""
    if not DEVICES.fullmatch(gpus):
        raise BenchError(f"GPUs must be all, none, or numbers or UUIDs with commas; got {gpus!r}: correct it")
    match gpus:
        case "none":
            return []
        case "all":
            return [DeviceRequest(driver="nvidia", count=-1, capabilities=[["gpu"]])]
        case _:
            return [DeviceRequest(driver="nvidia", device_ids=gpus.split(","), capabilities=[["gpu"]])]


def _copy_output(container: Any) -> None:
    """Copies the container's two streams to ours until it ends; they stay apart, so that --json can be piped."""
    sys.stdout.flush()
    errors = container.logs(stream=True, follow=True, stdout=False)
    other = Thread(target=_copy, args=(errors, sys.stderr.buffer), daemon=True)
    other.start()
    _copy(container.logs(stream=True, follow=True, stderr=False), sys.stdout.buffer)
    other.join()


def _copy(chunks: Iterable[bytes], target: BinaryIO) -> None:
    for chunk in chunks:
        target.write(chunk)
        target.flush()


@contextmanager
def _ending_at(number: signal.Signals) -> Iterator[None]:
    """Has a signal, which would end the process on the spot, end it as an exception does: what must be done is done."""

    def end(*_: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(number, end)
    try:
        yield
    finally:
        signal.signal(number, before)


def _remove(client: Any, name: str) -> None:
    """Removes a container, running or not, with the volumes that it alone has."""
    with suppress(NotFound):
        client.api.remove_container(name, v=True, force=True)


@contextmanager
def _docker() -> Iterator[Any]:
    """Yields a client of this machine's Docker; turns errors of the body into one line."""
    try:
        with closing(DockerClient.from_env()) as client:
            yield client
    except ImageNotFound as error:
        raise BenchError(f"image must be on this machine; {_one_line(error.explanation)}: build or pull it") from error
    except APIError as error:
        raise BenchError(f"Docker refuses: {_one_line(error.explanation or error)}") from error
    except (DockerException, RequestException, HTTPError) as error:
        raise TransientError(
            f"Docker must run and let you in ({_one_line(error)}): start it, join the group docker, or set DOCKER_HOST"
        ) from error


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
