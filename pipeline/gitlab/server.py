"""The connection to a GitLab server: tokens, retries, and errors of one line."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gitlab
import requests
from gitlab.exceptions import GitlabError, RedirectError
from gitlab.v4.objects import Project
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.tokens import token

TRIES = 5
PAUSE = 0.5  # seconds before the third try, doubled before each later one
LONGEST_PAUSE = 60  # seconds, whatever the server asks for
TIMEOUT = 60  # seconds without a byte
CONNECTIONS = 16  # at once
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})  # a second such request changes nothing more
FAILED = (500, 502, 503, 504)
TOO_MANY = 429
ADDRESS = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#@]*)?")
PROJECT = re.compile(r"[\w.-]+(?:/[\w.-]+)*")
TOKEN = re.compile(r"[\x21-\x7e]+")
HEADERS = ("PRIVATE-TOKEN", "JOB-TOKEN")
JOB = "CI_JOB_TOKEN"
AUTHORITY = "CI_SERVER_TLS_CA_FILE"  # GitLab Runner sets it where its own settings name an authority


class NotAllowedError(BenchError):
    """The token is valid, but its rights do not suffice."""


def connect(token_variable: str, *, url: str = "", project: str = "") -> Project:
    """Returns a project of a GitLab server. Asks nothing of the server yet.

    Args:
        token_variable: The environment variable that holds the token; CI_JOB_TOKEN is sent as a job token, any other as
            a private one (personal, project or group access token).
        url: The server, such as https://gitlab.example.org; default: CI_SERVER_URL.
        project: Its number or its path; default: CI_PROJECT_ID.

    Raises:
        BenchError: If the token, the address or the project is missing or malformed.
    """
    secret = token(token_variable)
    if not secret:
        raise BenchError(
            f"{token_variable} must hold a token for the GitLab project; it is not set: see docs/gitlab.md"
        )
    if not TOKEN.fullmatch(secret):  # the error of requests would quote it
        raise BenchError(f"{token_variable} must be a token of one line; it has blanks in it: set it again")
    return _open(token_variable, secret, url, project)


def connect_anonymously(*, url: str = "", project: str = "") -> Project:
    """Returns a public project of a GitLab server, read without a token; see `connect`."""
    return _open("", "", url, project)


def _open(token_variable: str, token: str, url: str, project: str) -> Project:
    address = (url or os.environ.get("CI_SERVER_URL", "")).rstrip("/")
    if not ADDRESS.fullmatch(address):
        raise BenchError(f"the GitLab server must be an address; got {address!r}: give --url https://HOST")
    name = (project or os.environ.get("CI_PROJECT_ID", "")).strip("/")
    if not PROJECT.fullmatch(name) or ".." in name:
        raise BenchError(f"the GitLab project must be a number or a path; got {name!r}: give --project GROUP/NAME")
    authority = os.environ.get(AUTHORITY, "")
    if authority and not Path(authority).is_file():
        raise BenchError(f"{AUTHORITY} must be a file of certificates; got {authority!r}: correct or unset it")
    server = _Server(address, token_variable, token)
    return server.projects.get(name, lazy=True)


class _Server(gitlab.Gitlab):
    """Raises errors of one line for refused tokens and failing servers; everything else is python-gitlab's."""

    def __init__(self, url: str, token_variable: str, token: str) -> None:
        of_job = token_variable == JOB
        super().__init__(
            url,
            private_token=None if of_job else token or None,
            job_token=token if of_job else None,
            timeout=TIMEOUT,
            keep_base_url=True,
            ssl_verify=os.environ.get(AUTHORITY) or True,
            session=_session(),
        )
        self.token_variable = token_variable

    def http_request(self, verb: str, path: str, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["obey_rate_limit"] = False  # the session waits; python-gitlab would wait as long as the server says
        tries = TRIES if verb.upper() in REPEATABLE else 1
        while True:
            tries -= 1
            try:
                with self._refusals(verb):
                    return super().http_request(verb, path, *args, **kwargs)
            except requests.exceptions.ChunkedEncodingError as error:  # the answer broke off after its head
                if not tries:
                    raise TransientError(_away(verb, self.url, "its answers break off")) from error
                pause(1)

    @contextmanager
    def _refusals(self, verb: str) -> Iterator[None]:
        """Turns the refusals that any request may meet into one line that names the variable of the token."""
        try:
            yield
        except RedirectError as error:
            raise BenchError(
                f"{self.url} must be the server's own address; it sends writing requests elsewhere: correct --url, as "
                "with https for http, and --project, if it was renamed"
            ) from error
        except GitlabError as error:
            code = error.response_code or 0
            if code == 401:
                raise BenchError(self._refused()) from error
            if code == 403:
                raise NotAllowedError(
                    f"{self.token_variable or 'a token'} must have the right to do this; GitLab says {said(error)}: "
                    "give the token the role and the scope that docs/gitlab.md names"
                ) from error
            if code == TOO_MANY or code >= 500:
                raise TransientError(_away(verb, self.url, said(error))) from error
            raise
        except requests.exceptions.ChunkedEncodingError:
            raise
        except requests.exceptions.InvalidURL as error:
            raise BenchError(f"the GitLab server must be an address; got {self.url}: correct --url") from error
        except requests.RequestException as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise BenchError(
                    f"{self.url} must have a certificate that this machine trusts; it has not: set REQUESTS_CA_BUNDLE "
                    "to the file of its authority"
                ) from error
            raise TransientError(_away(verb, self.url, type(error).__name__)) from error

    def _refused(self) -> str:
        if not self.token_variable:
            return f"{self.url} wants a token to show this project: set GITLAB_TOKEN to one with the scope read_api"
        if self.token_variable == JOB:
            return "CI_JOB_TOKEN must be the token of a running job; GitLab refuses it: retry the job"
        return (
            f"{self.token_variable} must hold a valid token; GitLab refuses the one it holds, as expired, revoked or "
            "unknown: create a new one and put it in the variable, see docs/gitlab.md"
        )


@contextmanager
def plain_server_errors(subject: str) -> Iterator[None]:
    """Turns errors of python-gitlab into one line.

    Args:
        subject: What was asked for, such as "the result store".

    Raises:
        BenchError: If the server refuses.
        TransientError: If its answer broke off.
    """
    try:
        yield
    except GitlabError as error:
        raise BenchError(
            f"{subject} must be there for the token's owner; GitLab says {said(error)}: check the project and the names"
        ) from error
    except requests.RequestException as error:
        raise TransientError(f"{subject} must be readable; got {type(error).__name__}: try again") from error


def pause(count: int) -> None:
    """Waits before the next try, longer each time; a random part keeps two clients from colliding again."""
    time.sleep(PAUSE * 2**count * random.uniform(0.5, 1))


def said(error: GitlabError) -> str:
    """Returns the server's words, in one line and short."""
    words = " ".join(str(error.error_message).split())
    return f"{error.response_code}, {words[:200]}" if error.response_code else words[:200]


def _away(verb: str, url: str, reason: str) -> str:
    tries = f"after {TRIES} tries it does not" if verb.upper() in REPEATABLE else "it does not"
    return f"{url} must answer; {tries} ({reason}): try again later"


class _Session(requests.Session):
    """Keeps GitLab's tokens from other hosts: artifacts may be redirected to an object store."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        super().rebuild_auth(prepared_request, response)
        if self.should_strip_auth(str(response.request.url), str(prepared_request.url)):
            for name in HEADERS:
                prepared_request.headers.pop(name, None)


class _RetryOnError(Retry):
    """Retries requests that can be repeated, and any request that the server refused as one too many."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        if status_code == TOO_MANY:
            return bool(self.total)
        return super().is_retry(method, status_code, has_retry_after)


def _session() -> requests.Session:
    retry = _RetryOnError(
        total=TRIES - 1,
        backoff_factor=PAUSE,
        backoff_jitter=PAUSE,
        status_forcelist=FAILED,
        allowed_methods=REPEATABLE,
        retry_after_max=LONGEST_PAUSE,
        raise_on_status=False,
    )
    session = _Session()
    session.auth = lambda request: request  # nothing from a ~/.netrc
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=CONNECTIONS))
    return session


NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,200}")


FORBIDDEN = re.compile(r"\.\.|//|/\.|\.lock(?:/|$)|[./]$")  # what git check-ref-format refuses of the rest


def check_branch(name: str) -> str:
    """Returns the name of a branch or tag if it is one that git and a shell take as it is.

    Raises:
        BenchError: If it is not, such as `$(id)`, which git alone would allow.
    """
    if not NAME.fullmatch(name) or FORBIDDEN.search(name):
        raise BenchError(
            f"a branch must be letters, digits and ._+/- as git takes them; got {name[:80]!r}: rename the branch"
        )
    return name
