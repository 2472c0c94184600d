"""Asks GitLab's container registry for the job image, by the registry's HTTP API, version 2, with its tokens."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import parse_dict_header
from urllib3.util import Retry

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.files import file_digest, write_atomically
from metric_robustness.pipeline.gitlab.image import Variant, image_tag, reference
from metric_robustness.pipeline.places import CODE

ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LOCAL = re.compile(r"(?:localhost|127\.0\.0\.\d{1,3})(?::\d+)?")  # without TLS, since Docker uses none for these names
OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY, FAILED = 200, 401, 403, 404, 429, 500  # HTTP status
TIMEOUT = 30  # seconds
PAUSE = 0.5  # seconds before the second retry, doubled before each later one
LONGEST_PAUSE = 60  # seconds, whatever the server asks for


class Registry(NamedTuple):
    """A project's place in the registry, and who asks."""

    host: str
    image: str  # HOST/GROUP/PROJECT
    user: str
    password: str

    @classmethod
    def of_job(cls, environment: Mapping[str, str]) -> Registry:
        """Returns the project's registry, as GitLab's variables in a job describe it.

        Raises:
            BenchError: If the registry is switched off, or the job has no password for it.
        """
        host, image = environment.get("CI_REGISTRY", ""), environment.get("CI_REGISTRY_IMAGE", "")
        if not host or not image.startswith(f"{host}/"):
            raise BenchError(
                f"CI_REGISTRY_IMAGE must lie in CI_REGISTRY; got {image!r} in {host!r}: "
                "switch on the project's container registry"
            )
        user = environment.get("CI_REGISTRY_USER", "")
        password = environment.get("CI_REGISTRY_PASSWORD", "")
        if not password:
            user, password = "gitlab-ci-token", environment.get("CI_JOB_TOKEN", "")
        if not password:
            raise BenchError("CI_REGISTRY_PASSWORD or CI_JOB_TOKEN must be set; got neither: run in a job of GitLab")
        return cls(host, reference(image), user, password)

    def upstream(self, environment: Mapping[str, str]) -> list[Registry]:
        """Returns the registry of the project that a merge request from a fork wants to go to; else nothing."""
        source, target = (environment.get(f"CI_MERGE_REQUEST_{side}PROJECT_ID", "") for side in ("SOURCE_", ""))
        path = environment.get("CI_MERGE_REQUEST_PROJECT_PATH", "").lower()
        return [self._replace(image=reference(f"{self.host}/{path}"))] if path and source != target else []

    def digest(self, tag: str) -> str | None:
        """Returns the digest of the project's image with that tag, or None if there is none.

        Raises:
            BenchError: If the registry refuses the password, or its answer is not a registry's.
            TransientError: If it cannot be reached, or fails again and again.
        """
        scheme = "http" if LOCAL.fullmatch(self.host) else "https"
        path = self.image.removeprefix(f"{self.host}/")
        url = f"{scheme}://{self.host}/v2/{path}/manifests/{tag}"
        with _session() as session:
            try:
                answer = session.head(url, headers={"Accept": ACCEPT}, auth=_Nobody(), timeout=TIMEOUT)
                if answer.status_code == UNAUTHORIZED:
                    auth = self._authentication(session, answer.headers.get("WWW-Authenticate", ""), scheme, path)
                    answer = session.head(url, headers={"Accept": ACCEPT}, auth=auth, timeout=TIMEOUT)
            except requests.RequestException as error:
                raise TransientError(
                    f"registry {self.host} must answer; got {type(error).__name__}: try again"
                ) from error
        if answer.status_code == NOT_FOUND:
            return None
        self._require_ok(answer)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if not DIGEST.fullmatch(digest):
            raise BenchError(f"registry {self.host} must give a digest; got {digest!r}: check CI_REGISTRY")
        return digest

    def _authentication(self, session: requests.Session, challenge: str, scheme: str, path: str) -> AuthBase:
        """Returns the authentication that the registry demands: a token of the realm that it names, or the password."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            return HTTPBasicAuth(self.user, self.password)
        asked = parse_dict_header(rest)
        realm = asked.get("realm") or ""
        if kind.lower() != "bearer" or not realm.startswith(
            f"{scheme}://"
        ):  # the password is sent there, so never to another scheme
            raise BenchError(f"registry {self.host} must ask for a token over {scheme}; got {challenge!r}: check it")
        wanted = {"service": asked.get("service") or "", "scope": f"repository:{path}:pull"}
        basic = HTTPBasicAuth(self.user, self.password)
        answer = session.get(realm, params=wanted, auth=basic, timeout=TIMEOUT, allow_redirects=False)
        self._require_ok(answer)
        try:
            token = answer.json()["token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not token:
            raise BenchError(f"{realm} must answer with a token; got something else: check CI_REGISTRY")
        return _Bearer(token)

    def _require_ok(self, answer: requests.Response) -> None:
        """Raises unless the answer is a success."""
        code = answer.status_code
        if code == OK:
            return
        if code in {UNAUTHORIZED, FORBIDDEN}:
            raise BenchError(
                f"registry {self.host} must let {self.user} read {self.image}; got {code}: "
                "the token has expired, or lacks read_registry"
            )
        if code == TOO_MANY or code >= FAILED:
            raise TransientError(f"registry {self.host} must say whether it has the image; got {code}: try again later")
        raise BenchError(f"registry {self.host} must say whether it has the image; got {code}: check CI_REGISTRY")


class _Bearer(AuthBase):
    """Sends a token. It is an `auth`, since requests would replace a header by an entry of ~/.netrc."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Nobody(AuthBase):
    """Sends no password, not even one of ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def write_status(
    path: Path,
    environment: Mapping[str, str] = os.environ,
    root: Path = CODE,
    trusted: Callable[[str], str | None] | None = None,
) -> dict[str, str]:
    """Writes a dotenv file that names the image for later jobs and whether to build it; returns its variables.

    A merge request from a fork runs in the image of the project that it wants to go to, as long as the fork has none.

    IMAGE is the image by digest if the registry has it, else by tag; IMAGE_MISSING is yes or no; IMAGE_TAG and
    IMAGE_LOCK (sha256 of the lock file) are for the build.

    Args:
        path: The file.
        environment: The job's variables: GitLab's own and, if set, IMAGE_VARIANT (cuda or cpu) and IMAGE_BASE (another
            base image than the Dockerfile's).
        root: The checkout.
        trusted: Returns the digest that counts for a tag; an image with another one is missing. None: any counts.

    Raises:
        BenchError: If a variable is wrong, the registry refuses, or the image is missing where it may not be built.
        TransientError: If the registry cannot be reached.
    """
    variant = environment.get("IMAGE_VARIANT") or "cuda"
    if variant not in {"cuda", "cpu"}:
        raise BenchError(f"IMAGE_VARIANT must be cuda or cpu; got {variant!r}: correct the variable")
    tag = image_tag(cast(Variant, variant), environment.get("IMAGE_BASE", ""), root)
    own = Registry.of_job(environment)
    digests = ((registry.image, registry.digest(tag)) for registry in (own, *own.upstream(environment)))
    known = trusted(tag) if trusted else None
    counting = ((image, digest) for image, digest in digests if digest and (not trusted or digest == known))
    image, digest = next(counting, (own.image, None))
    if not digest and environment.get("CI_COMMIT_REF_PROTECTED") == "false":  # where no job may build it
        raise BenchError(
            f"the job image {tag} must be in the registry; it is not, and only a protected branch may build it: a "
            "maintainer pushes this lock file to a protected branch, or sets BENCHMARK_IMAGE to an image that has its "
            "packages"
        )
    found = {
        "IMAGE": f"{image}@{digest}" if digest else f"{image}:{tag}",
        "IMAGE_MISSING": "no" if digest else "yes",
        "IMAGE_TAG": tag,
        "IMAGE_LOCK": file_digest(root / "requirements.lock"),
    }
    write_atomically(path, "".join(f"{name}={value}\n" for name, value in found.items()))
    return found


def _session() -> requests.Session:
    """Returns a session that tries four times where the server is overloaded or away."""
    retry = Retry(
        total=3,
        backoff_factor=PAUSE,
        status_forcelist=[TOO_MANY, 500, 502, 503, 504],
        allowed_methods={"GET", "HEAD"},
        retry_after_max=LONGEST_PAUSE,
        raise_on_status=False,
    )
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=retry))
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session
