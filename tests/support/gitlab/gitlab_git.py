"""git over HTTP: what `git clone` and `git push` ask of a GitLab project, served by git's own CGI program."""

from __future__ import annotations

import os
import subprocess

from gitlab_routes import Answer, Call


def serve_git(call: Call) -> Answer:
    """Returns the answer to a request of git; the project has to allow pushes with a job token."""
    server = call.server
    pushing = call.query.get("service") == "git-receive-pack" or call.path.endswith("/git-receive-pack")
    if call.who in {"none", "expired", "unknown"} and (pushing or not server.state.public):
        return Answer(401, b"HTTP Basic: Access denied.", {"WWW-Authenticate": 'Basic realm="GitLab"'})
    allowed = server.state.settings["ci_push_repository_for_job_token_allowed"]
    if pushing and (call.who == "read" or (call.who == "job" and not allowed)):
        return Answer(403, b"You are not allowed to upload code.", {"Content-Type": "text/plain"})
    if server.repository is None:
        return Answer(404, b"", {})
    environment = {
        "GIT_PROJECT_ROOT": str(server.repository),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": call.path.removeprefix(f"/{server.project_path}.git"),
        "REQUEST_METHOD": call.method,
        "QUERY_STRING": "&".join(f"{name}={value}" for name, value in call.query.items()),
        "CONTENT_TYPE": call.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(call.body)),
        "HTTP_CONTENT_ENCODING": call.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": call.headers.get("Git-Protocol", ""),
        "REMOTE_USER": "gitlab-ci-token",  # git lets only a named user push
        "REMOTE_ADDR": "127.0.0.1",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        ["git", "http-backend"],  # by its name, as the pipeline calls it
        input=call.body,
        env=environment,
        capture_output=True,
        check=False,
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    return Answer(int(headers.pop("Status", "200").split()[0]), content, headers)
