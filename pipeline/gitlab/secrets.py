"""The CI/CD variables that hold tokens and keys: each is shown to the jobs that need it, and to no other."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import NamedTuple

from gitlab.v4.objects import Project

from metric_robustness.pipeline.gitlab.steps import SetupStep
from metric_robustness.pipeline.tokens import token


class Secret(NamedTuple):
    """A CI/CD variable with a token or a key, taken from the environment variable of the same name."""

    name: str
    protected: bool  # whether only protected branches see it
    make: Callable[[], str] | None = None  # a new one, where none is given
    environment: str = "*"  # the environment of the jobs that see it


SECRETS = (
    # Only the job `publish` is in this environment: the jobs that run entries do not see the token.
    Secret("BENCHMARK_PUBLISH_TOKEN", protected=True, environment="publish"),
    Secret("BENCHMARK_STORE_KEY", protected=True, make=lambda: secrets.token_hex(32)),  # signs the result store
    Secret("BENCHMARK_NOTE_TOKEN", protected=False),
)


def secret_step(project: Project, secret: Secret) -> SetupStep:
    """Returns the step of a variable; never shows its token. What people made stricter stays."""
    given = token(secret.name)
    variants = [each for each in project.variables.list(iterator=True) if each.key == secret.name]
    held = next((each for each in variants if each.environment_scope == secret.environment), None) or next(
        iter(variants), None
    )
    flags: dict[str, object] = {"protected": secret.protected, "environment_scope": secret.environment}
    if held is None:
        if not given and secret.make:
            given = secret.make()
        if not given:
            return SetupStep(secret.name, "missing", "missing: export it and run again")
        new = {"key": secret.name, "value": given, "raw": True, "masked": True, **flags}
        wanted = _described(masked=True, **flags)
        return SetupStep(secret.name, "missing", wanted, lambda: project.variables.create(new))
    flags["protected"] = secret.protected or held.protected
    others = [each.environment_scope for each in variants if each is not held]  # seen by jobs that need no token
    now = _described(held.masked, held.protected, held.environment_scope, *others)
    fresh = bool(given) and held.value not in (None, given)
    value = given or held.value  # GitLab keeps the value of a hidden variable to itself, and such a one is masked
    wanted = _described(masked=True, **flags)
    if now == wanted and not fresh:
        return SetupStep(secret.name, now, now)
    changed = flags | ({"masked": True, "value": value} if value else {})

    def change() -> None:
        for scope in others:
            project.variables.delete(secret.name, filter={"environment_scope": scope})
        project.variables.update(secret.name, changed, filter={"environment_scope": held.environment_scope})

    return SetupStep(secret.name, now, wanted + (", new value" if fresh else ""), change)


def _described(masked: object, protected: object, environment_scope: object, *others: object) -> str:
    """Returns how a variable is kept, in words; more scopes where it is there several times."""
    scopes = " and ".join(str(scope) for scope in (environment_scope, *others))
    return (
        "set"
        + (", masked" if masked else "")
        + (", protected" if protected else "")
        + ("" if scopes == "*" else f", for {scopes}")
    )
