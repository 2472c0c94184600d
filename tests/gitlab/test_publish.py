from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gitlab_server import GitLabServer

from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.gitlab.publish import publish
from metric_robustness.pipeline.gitlab.server import check_branch

README = b"People wrote this.\n"
BEFORE = {
    "README.md": b"# Project\n",
    "results/README.md": README,
    "results/leaderboard.csv": b"old\n",
    "results/scores.csv": b"same\n",
    "results/retired.csv": b"no longer made\n",
    "results/picture.png": b"\x89PNG",
    "results/notes/kept.csv": b"of people\n",
}
TABLES = {"leaderboard.csv": b"new\n", "leaderboard.md": "# Ünïcode\r\n".encode(), "scores.csv": b"same\n"}
AFTER = {
    "README.md": b"# Project\n",
    "results/README.md": README,
    "results/leaderboard.csv": b"new\n",
    "results/leaderboard.md": "# Ünïcode\r\n".encode(),
    "results/scores.csv": b"same\n",
    "results/picture.png": b"\x89PNG",
    "results/notes/kept.csv": b"of people\n",
}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, content in TABLES.items():
        (folder / name).write_bytes(content)
    for name in ("rows.zip", "junit.xml", "SHA256SUMS", ".leaderboard.csv.x.csv"):
        (folder / name).write_bytes(b"not a table")
    (folder / "README.md").write_bytes(b"not to be published")
    return folder


@pytest.fixture
def gitlab(as_job: Callable[..., None]) -> Iterator[GitLabServer]:
    with GitLabServer(files=BEFORE) as server:
        as_job(server, BENCHMARK_PUBLISH_TOKEN=server.API)
        yield server


def test_tables_become_one_commit_that_starts_no_pipeline(gitlab: GitLabServer, tables: Path) -> None:
    made = publish(tables)
    assert gitlab.files() == AFTER
    (commit,) = gitlab.commits
    assert commit.id == made.commit
    assert commit.message == "Update the leaderboard\n\n[skip ci]"
    assert sorted((action["action"], action["file_path"]) for action in commit.actions) == [
        ("create", "results/leaderboard.md"),
        ("delete", "results/retired.csv"),
        ("update", "results/leaderboard.csv"),
    ]
    assert str(made.changes) == "1 created, 1 updated, 1 deleted"
    assert gitlab.tokens() == {"private"}


def test_no_change_is_no_commit_and_no_writing_request(gitlab: GitLabServer, tables: Path) -> None:
    publish(tables)
    before = len(gitlab.writes())
    made = publish(tables)
    assert made.commit == ""
    assert str(made.changes) == "nothing changed"
    assert len(gitlab.writes()) == before == 1


def test_a_project_without_results_gets_them(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.commit(dict.fromkeys((path for path in BEFORE if path.startswith("results/")), None))
    publish(tables)
    assert {path for path in gitlab.files() if path.startswith("results/")} == {f"results/{name}" for name in TABLES}


def test_results_are_compared_over_all_pages(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.commit({f"results/old_{number:03}.csv": b"x" for number in range(150)})
    made = publish(tables)
    assert len(made.changes.delete) == 151
    assert gitlab.files() == AFTER


@pytest.mark.parametrize("status", [400, 409])
def test_two_conflicts_are_solved_by_reading_again(gitlab: GitLabServer, tables: Path, status: int) -> None:
    gitlab.conflict(2, status)
    publish(tables)
    assert gitlab.files() == AFTER
    assert [request.status for request in gitlab.writes()] == [status, status, 201]


def test_commits_of_others_in_between_are_built_upon(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.commit_before_next({"results/leaderboard.md": b"created first", "src.py": b"1"})
    gitlab.commit_before_next({"results/leaderboard.csv": None})
    publish(tables)
    assert gitlab.files() == AFTER | {"src.py": b"1"}
    assert [request.status for request in gitlab.writes()] == [400, 400, 201]
    assert len(gitlab.commits) == 1


def test_another_run_that_published_the_same_meanwhile_leaves_nothing_to_do(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.commit_before_next(dict(AFTER) | {"results/retired.csv": None})
    assert publish(tables).commit == ""
    assert gitlab.commits == []


def test_a_branch_that_never_holds_still_is_given_up_after_five_tries(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.conflict(100)
    with pytest.raises(TransientError, match="main must hold still for one commit; in 5 tries"):
        publish(tables)
    assert len(gitlab.writes()) == 5


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "0"}), (502, {}), (503, {"Retry-After": "0"})])
def test_a_busy_or_failing_server_ends_well(
    gitlab: GitLabServer, tables: Path, status: int, headers: dict[str, str]
) -> None:
    gitlab.fail(2, status, headers=headers)
    gitlab.fail(1, status, method="POST", headers=headers)
    publish(tables)
    assert gitlab.files() == AFTER
    assert len(gitlab.commits) == 1


def test_a_commit_whose_answer_was_lost_is_not_made_twice(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.lose_answer(1, 502, method="POST")
    publish(tables)
    assert gitlab.files() == AFTER
    assert len(gitlab.commits) == len(gitlab.writes()) == 1


def test_a_refusal_is_no_conflict(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.fail(100, 400, method="POST", message="Commit message does not follow the pattern")
    with pytest.raises(BenchError, match="does not follow the pattern"):
        publish(tables)
    assert len(gitlab.writes()) == 1


def test_an_expired_token_is_one_line(gitlab: GitLabServer, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_PUBLISH_TOKEN", gitlab.EXPIRED)
    with pytest.raises(
        BenchError, match=r"^BENCHMARK_PUBLISH_TOKEN must hold a valid token.*create a new one"
    ) as caught:
        publish(tables)
    assert gitlab.EXPIRED not in str(caught.value)
    assert len(gitlab.requests) == 1


def test_a_token_that_may_only_read_is_one_line(
    gitlab: GitLabServer, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_PUBLISH_TOKEN", gitlab.READ)
    with pytest.raises(BenchError, match="BENCHMARK_PUBLISH_TOKEN must have the right"):
        publish(tables)


def test_without_any_token_nothing_is_sent(gitlab: GitLabServer, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHMARK_PUBLISH_TOKEN")
    with pytest.raises(BenchError, match="BENCHMARK_PUBLISH_TOKEN or CI_JOB_TOKEN must hold a token"):
        publish(tables)
    assert gitlab.requests == []


def test_a_folder_without_leaderboard_deletes_nothing(gitlab: GitLabServer, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_bytes(b"x")
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match=r"must hold leaderboard\.csv"):
            publish(folder)
    assert gitlab.requests == []


def test_a_branch_that_is_not_there_is_named(gitlab: GitLabServer, tables: Path) -> None:
    with pytest.raises(BenchError, match=r"branch elsewhere must be there.*404 Branch Not Found"):
        publish(tables, branch="elsewhere")


def test_a_branch_with_a_slash_is_published_to(gitlab: GitLabServer, tables: Path) -> None:
    gitlab.git.add("group/nightly", BEFORE, "Branch off")
    publish(tables, branch="group/nightly", message="Nightly [skip ci]")
    assert gitlab.files("group/nightly") == AFTER
    assert gitlab.commits[-1].message == "Nightly\n\n[skip ci]"


HOSTILE = [
    "x; rm -rf ~", "$(id)", "a/../b", "<script>", "-d", "--upload-pack=x", "", "a..b", "a~1", "a^", "a:b", "a\\b",
    "a?", "a*", "a[", "/a", "a/", "a//b", "a.", ".a", "a/.b", "a.lock", "a.lock/b", "@{u}", "a\nb", "a\x00b", "a" * 300,
    "ä", "a b", "`id`", "a&b", "a%2e%2e", "'", '"',
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("token", ["BENCHMARK_PUBLISH_TOKEN", "CI_JOB_TOKEN"])
def test_a_hostile_branch_name_is_refused_before_any_request(
    gitlab: GitLabServer, tables: Path, monkeypatch: pytest.MonkeyPatch, name: str, token: str
) -> None:
    monkeypatch.delenv("BENCHMARK_PUBLISH_TOKEN")
    monkeypatch.setenv(token, gitlab.API)
    with pytest.raises(BenchError, match="a branch must be letters"):
        publish(tables, branch=name)
    assert gitlab.requests == []


@pytest.mark.parametrize("name", ["main", "release/1.2", "a-b_c+d", "a.b", "9", "x/y/z"])
def test_ordinary_branch_names_pass_as_git_passes_them(name: str) -> None:
    assert check_branch(name) == name
    assert subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False).returncode == 0


# With the job token, by git


def git(*arguments: object, cwd: Path) -> str:
    who = {
        f"GIT_{role}_{what}": "someone@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *map(str, arguments)], cwd=cwd, env=os.environ | who, check=True, capture_output=True, text=True
    ).stdout


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Returns a bare repository with BEFORE on main."""
    work, bare = tmp_path / "work", tmp_path / "bare.git"
    git("init", "--quiet", "--initial-branch=main", work, cwd=tmp_path)
    write(work, BEFORE)
    (work / "run.sh").write_bytes(b"#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    git("add", ".", cwd=work)
    git("commit", "--quiet", "--message=Begin", cwd=work)
    git("clone", "--quiet", "--bare", work, bare, cwd=tmp_path)
    git("config", "http.receivepack", "true", cwd=bare)
    return bare


def tree(bare: Path, branch: str = "main") -> dict[str, bytes]:
    names = git("ls-tree", "-r", "--name-only", branch, cwd=bare).split()
    return {
        name: subprocess.run(["git", "show", f"{branch}:{name}"], cwd=bare, check=True, capture_output=True).stdout
        for name in names
    }


def commit_as_another(bare: Path, files: dict[str, bytes], folder: Path) -> None:
    git("clone", "--quiet", bare, folder, cwd=bare)
    write(folder, files)
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "--message=Someone else", cwd=folder)
    git("push", "--quiet", cwd=folder)


@pytest.fixture
def pushing(bare: Path, as_job: Callable[..., None]) -> Iterator[GitLabServer]:
    """Returns a server of a project that a job token may push to; there is no other token."""
    with GitLabServer(repository=bare) as server:
        as_job(server, CI_JOB_TOKEN=server.JOB)
        server.state.settings["ci_push_repository_for_job_token_allowed"] = True
        yield server


def test_a_job_token_pushes_one_commit(pushing: GitLabServer, bare: Path, tables: Path) -> None:
    made = publish(tables)
    assert tree(bare) == AFTER | {"run.sh": b"#!/bin/sh\n"}
    assert git("rev-parse", "main", cwd=bare).strip() == made.commit
    assert git("rev-list", "--count", "main", cwd=bare).strip() == "2"
    assert git("log", "-1", "--format=%B", "main", cwd=bare).strip() == "Update the leaderboard\n\n[skip ci]"
    assert git("ls-tree", "main", "run.sh", cwd=bare).startswith("100755")
    assert publish(tables).commit == ""
    assert git("rev-list", "--count", "main", cwd=bare).strip() == "2"


def test_a_rejected_push_is_made_again_on_top_of_the_new_head(
    pushing: GitLabServer, bare: Path, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = iter([{"src.py": b"1"}, {"results/leaderboard.md": b"another's"}])
    fetch = pushing.take_fault

    def move_before_push(method: str, path: str) -> object:
        if method == "POST" and path.endswith("git-receive-pack") and (files := next(moves, None)):
            commit_as_another(bare, files, tmp_path / "-".join(files).replace("/", "-"))
        return fetch(method, path)

    monkeypatch.setattr(pushing, "take_fault", move_before_push)
    publish(tables)
    assert tree(bare) == AFTER | {"run.sh": b"#!/bin/sh\n", "src.py": b"1"}
    assert git("rev-list", "--count", "main", cwd=bare).strip() == "4"


def test_a_failing_server_is_pushed_to_again(pushing: GitLabServer, bare: Path, tables: Path) -> None:
    pushing.fail(2, 502)
    publish(tables)
    assert tree(bare) == AFTER | {"run.sh": b"#!/bin/sh\n"}


def test_a_project_that_allows_no_push_says_so_without_the_token(
    pushing: GitLabServer, bare: Path, tables: Path
) -> None:
    pushing.state.settings["ci_push_repository_for_job_token_allowed"] = False
    with pytest.raises(BenchError, match="allow Git push") as caught:
        publish(tables)
    assert pushing.JOB not in str(caught.value)
    assert caught.value.exit_code == 2
    assert git("rev-list", "--count", "main", cwd=bare).strip() == "1"


def test_a_protected_branch_that_declines_is_told(pushing: GitLabServer, bare: Path, tables: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'GitLab: You are not allowed to push code to protected branches' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(BenchError, match="must have the right to push to main"):
        publish(tables)


def test_a_branch_that_git_does_not_find_is_named(pushing: GitLabServer, tables: Path) -> None:
    with pytest.raises(BenchError, match="branch elsewhere must exist"):
        publish(tables, branch="elsewhere")


def test_the_token_is_in_no_command_line(
    pushing: GitLabServer, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"  # git writes every command line that it gets or makes
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexport GIT_TRACE={trace}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    publish(tables)
    lines = trace.read_text()
    assert "built-in: git push" in lines
    assert "remote-http" in lines
    assert pushing.JOB not in lines
    assert base64.b64encode(f"gitlab-ci-token:{pushing.JOB}".encode()).decode() not in lines


def test_a_folder_is_pushed_to_without_any_server(bare: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHMARK_PUBLISH_TOKEN", raising=False)
    monkeypatch.setenv("CI_JOB_TOKEN", "job")
    publish(tables, repository=str(bare))
    assert tree(bare) == AFTER | {"run.sh": b"#!/bin/sh\n"}


@pytest.mark.parametrize("address", ["", "--upload-pack=id", "ext::sh -c id", "https://user:secret@host/x.git"])
def test_an_address_that_git_could_misread_is_refused(
    tables: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.delenv("BENCHMARK_PUBLISH_TOKEN", raising=False)
    monkeypatch.setenv("CI_JOB_TOKEN", "job")
    monkeypatch.setenv("CI_PROJECT_URL", address)
    with pytest.raises(BenchError, match="CI_PROJECT_URL must be the project's address"):
        publish(tables, repository=address)
