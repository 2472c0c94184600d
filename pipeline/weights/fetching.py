"""Fetching: each file is asked for at the mirror first, then at its own server, checked, and moved into its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from threading import Event
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from metric_robustness.pipeline import tokens
from metric_robustness.pipeline.errors import BenchError, DataError, Exit, TransientError
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.weights import sums
from metric_robustness.pipeline.weights.declared import Need
from metric_robustness.pipeline.weights.destinations import Caches, Destination
from metric_robustness.pipeline.weights.download import Retries, StoppedError, discard, download
from metric_robustness.pipeline.weights.integrity import Expected, expected
from metric_robustness.pipeline.weights.network import forbidden_by
from metric_robustness.pipeline.weights.opening import open_all
from metric_robustness.pipeline.weights.repositories import members_in_mirror, members_on_hub
from metric_robustness.pipeline.weights.sources import (
    Announced,
    BusyError,
    ConnectionBrokenError,
    FileSource,
    PathSource,
    UrlSource,
)

Answer = TypeVar("Answer")

VARIABLE = "METRIC_ROBUSTNESS_MIRROR"
OnProgress = Callable[[Need, int, int | None], None]  # gets the file, the bytes that arrived, and of how many if known


class FetchResult(NamedTuple):
    """The result of fetching one file."""

    need: Need
    status: str  # here, fetched or failed
    sha256: str = ""
    reason: str = ""  # why it failed; of a fetched file, what the user should know
    exit_code: Exit = Exit.DONE

    @property
    def line(self) -> str:
        """Returns the result as one line; that of a failure names the entries that cannot run."""
        if self.status == "failed":
            return f"error: {self.need.who}: {self.reason}"
        return f"{self.status}: {self.need.name}{f'; {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class Mirror:
    """A read-only copy of the files under their declared names: a folder, or the address of one."""

    where: str
    sums: dict[str, str] = field(default_factory=dict)

    def source(self, name: str) -> FileSource:
        """Returns where it has the file, if it has it."""
        known = self.sums.get(name, "")
        if is_address(self.where):
            return UrlSource(f"{self.where.rstrip('/')}/{quote(name)}", known)
        return PathSource(Path(self.where).expanduser() / name, known)


def is_address(text: str) -> bool:
    """Tells whether a mirror is reached over the network."""
    return text.startswith(("http://", "https://"))


def open_mirror(where: str) -> Mirror | None:
    """Returns the mirror to ask first, with its sums; none where neither the option nor the variable names one.

    Raises:
        BenchError: If it is a folder that does not exist, or an address that may not be asked.
    """
    where = where or os.environ.get(VARIABLE, "")
    if not where:
        return None
    if not is_address(where):
        folder = Path(where).expanduser()
        if not folder.is_dir():
            raise BenchError(f"the mirror must be a folder or an address; got {where}: name one that exists")
        return Mirror(where, sums.read(folder / sums.NAME))
    if variable := forbidden_by():
        raise BenchError(f"the mirror {where} is on the network, which {variable} forbids: unset it")
    source = UrlSource(f"{where.rstrip('/')}/{sums.NAME}")
    try:
        listed = _asked_again(source.where, Event(), source.read)
    except (DataError, TransientError):
        return Mirror(where)  # it has no list of sums, or is away: then the first file's message says how
    return Mirror(where, sums.parse(listed.decode(errors="replace"), f"{sums.NAME} of {where}"))


def _asked_again(where: str, stop: Event, ask: Callable[[], Answer]) -> Answer:
    """Returns what a server answers; one that fails or is busy is asked again.

    Raises:
        TransientError: If it failed too often, or asks for a long wait.
    """
    retries = Retries(where, stop)
    while True:
        try:
            return ask()
        except (ConnectionBrokenError, BusyError) as error:
            retries.wait(error)


class Fetcher:
    """Fetches files into a destination."""

    def __init__(
        self,
        destination: Destination | None = None,
        mirror: str = "",
        on_progress: OnProgress | None = None,
        *,
        anew: bool = False,
    ) -> None:
        """Opens the mirror.

        Args:
            destination: Where the files go; default: where the libraries look.
            mirror: A folder or an address that is asked first; default: METRIC_ROBUSTNESS_MIRROR.
            on_progress: Is called with each piece of a file that arrives, from several threads.
            anew: Fetches even files that are here and right.

        Raises:
            BenchError: If the mirror does not exist.
        """
        self.destination = destination or Caches()
        self.mirror = open_mirror(mirror)
        self.on_progress = on_progress
        self.anew = anew
        self.stop = Event()

    def fetch(self, needs: Iterable[Need], jobs: int, on_result: Callable[[FetchResult], None]) -> list[FetchResult]:
        """Fetches files side by side; a failure costs only its own file.

        Args:
            needs: The files.
            jobs: How many at once.
            on_result: Is called with the result of each file once it is known, in the calling thread.
        """
        wanted = list(needs)
        members: dict[str, list[Need]] = {}
        results: list[FetchResult] = []
        for need in [need for need in wanted if need.weight.whole_repository]:
            found = self._members(need)
            if isinstance(found, FetchResult):
                wanted.remove(need)
                results.append(found)
                on_result(found)
            else:
                members[need.name] = found
        single = [need for need in wanted if need.name not in members]
        results += self._round([*single, *chain.from_iterable(members.values())], jobs, on_result)
        failed = {result.need.name for result in results if result.status == "failed"}
        last = [  # fetched after its repository's other files: where it is here, they all are
            need
            for need in wanted
            if need.name in members and failed.isdisjoint(member.name for member in members[need.name])
        ]
        results += self._round(last, jobs, on_result)
        return sorted(results, key=lambda result: result.need.name)

    def _round(self, needs: list[Need], jobs: int, on_result: Callable[[FetchResult], None]) -> list[FetchResult]:
        results = []
        with ThreadPoolExecutor(jobs) as pool:
            left: set[Future[FetchResult]] = {pool.submit(self.one, need) for need in needs}
            try:
                while left:
                    finished, left = wait(left, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in finished:
                        results.append(future.result())
                        on_result(results[-1])
            except BaseException:
                self.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        return results

    def _members(self, need: Need) -> list[Need] | FetchResult:
        """Returns the other files of a repository that is needed whole, or why they are not known."""
        listed = members_in_mirror(need, self.mirror.sums) if self.mirror else []
        if listed or forbidden_by():
            return listed
        try:
            return _asked_again(need.name, self.stop, lambda: members_on_hub(need, token()))
        except BenchError as error:
            return _failure(need, error)

    def one(self, need: Need, *extra: FileSource) -> FetchResult:
        """Fetches one file, from the sources given, whose files were opened, or else from the mirror and its server."""
        try:
            return self._one(need, extra or tuple(self.sources(need)), opened=bool(extra))
        except BenchError as error:
            return _failure(need, error)
        except StoppedError:
            return FetchResult(need, "failed", reason="stopped", exit_code=Exit.STOPPED)

    def sources(self, need: Need) -> Iterable[FileSource]:
        """Yields where a file may come from, in the order of asking."""
        if self.mirror:
            yield self.mirror.source(need.name)
        if need.weight.url:
            hub_token = token() if need.weight.on_hub else ""
            yield UrlSource(need.weight.url, is_hub=need.weight.on_hub, token=hub_token)

    def _one(self, need: Need, sources: tuple[FileSource, ...], *, opened: bool) -> FetchResult:
        if need.weight.own and not need.here:
            raise DataError(f"{need.name} is missing from the checkout: restore it with git")
        if need.weight.own or (not self.anew and self._right(need, sources)):
            return FetchResult(need, "here")
        if not sources:
            raise DataError(
                f"{need.name} has no address in pipeline/weights/manifest.yml: get the file from its authors and run "
                "python -m pipeline weights import FILE"
            )
        with self.destination.lock(need):
            if not self.anew and self._right(need, sources):
                return FetchResult(need, "here")  # another process was quicker
            return self._first_that_serves(need, sources, opened=opened)

    def _first_that_serves(self, need: Need, sources: tuple[FileSource, ...], *, opened: bool) -> FetchResult:
        reasons: list[BenchError] = []
        for source in sources:
            try:
                if source.networked and (variable := forbidden_by()):
                    raise BenchError(
                        f"{need.name} is not here, and {variable} forbids to ask the network: run python -m pipeline "
                        f"weights fetch {need.entries[0]} where there is one, or name a mirror's folder with --mirror"
                    )
                return self._take(need, source, [str(reason) for reason in reasons], opened=opened)
            except BenchError as error:
                reasons.append(error)
        transient = any(isinstance(error, TransientError) for error in reasons)
        raise (TransientError if transient else type(reasons[-1]))("; ".join(map(str, reasons)))

    def _take(self, need: Need, source: FileSource, notes: list[str], *, opened: bool) -> FetchResult:
        announced = self._announced(source)
        must = self._expected(need, announced)
        self._require_room(need, announced.size or must.size)

        def on_progress(arrived: int, whole: int | None) -> None:
            if self.on_progress:
                self.on_progress(need, arrived, whole)

        part = self.destination.part(need)
        sha256 = download(source, part, must, on_progress, self.stop)
        if not (must.known or opened):
            _require_readable(need, source, part)
        self.destination.accept(need, part, sha256, announced.revision)
        stand_in = need.weight.equivalents.get(sha256, "")  # not pinned: the declared file may replace it
        if self.destination.lists_all or not (need.weight.sha256 or stand_in):
            sums.record(self.destination.sums(), need.name, sha256)
        if stand_in:
            notes = [*notes, f"it is {stand_in}"]
        elif not must.known:
            notes = [*notes, f"its sha256 was not known before and is now pinned in {self.destination.sums()}"]
        return FetchResult(need, "fetched", sha256, "; ".join(notes))

    def _announced(self, source: FileSource) -> Announced:
        """Returns what a source announces; a server that fails is asked again."""
        return _asked_again(source.where, self.stop, source.announced)

    def _expected(self, need: Need, announced: Announced | None = None) -> Expected:
        pins = self.destination.sums()
        return expected(need.weight, sums.read(pins).get(need.name, ""), pins, announced)

    def _right(self, need: Need, sources: tuple[FileSource, ...]) -> bool:
        """Tells whether the file is in its place and has the size and hash that it must have, where these are known."""
        path = self.destination.path(need)
        if not path.is_file():
            return False
        must = self._expected(need)
        size = must.size
        if not must.known and not forbidden_by():  # its server may announce a hash
            for source in sources:
                try:
                    announced = source.announced()
                except (BenchError, BusyError, ConnectionBrokenError):
                    continue
                must, size = must._replace(sha256=announced.sha256), announced.size
                break
        if size not in (None, path.stat().st_size) and not must.equivalents:
            return False
        return not must.known or not must.refusal(file_digest(path))

    def _require_room(self, need: Need, size: int | None) -> None:
        """Raises if the disk has no room for the file."""
        folder = self.destination.part(need).parent
        while not folder.exists():
            folder = folder.parent
        stat = os.statvfs(folder)
        free = stat.f_bavail * stat.f_frsize
        if size is not None and size > free + (self.destination.part(need).stat().st_size if self._begun(need) else 0):
            raise TransientError(
                f"{need.name} has {size / 1e6:.0f} MB, and {folder} has room for {free / 1e6:.0f} MB: free some space"
            )

    def _begun(self, need: Need) -> bool:
        return self.destination.part(need).is_file()


def _require_readable(need: Need, source: FileSource, part: Path) -> None:
    """Opens a file whose hash nobody knows, before its hash is pinned: a page that says sorry would be, too.

    Raises:
        DataError: If its reader refuses it; the part is then deleted.
    """
    for _, found in open_all([part]):
        if found.problem:
            discard(part)
            raise DataError(
                f"{need.name} from {source.where} {found.problem}: it is refused and not pinned; get the file "
                "elsewhere, or try a mirror"
            )


def token() -> str:
    """Returns the user's token of the Hugging Face hub, or nothing."""
    from huggingface_hub import get_token  # noqa: PLC0415  # half a second

    return tokens.token("HF_TOKEN") or get_token() or ""


def _failure(need: Need, error: BenchError) -> FetchResult:
    return FetchResult(need, "failed", reason=str(error), exit_code=error.exit_code)
