"""Secrets of the environment: our commands find them, the code of entries does not."""

from __future__ import annotations

import pytest
from scratch import BRIGHTNESS

from metric_robustness.pipeline import tokens

SECRET = "glpat-" + "0123456789abcdef"
SPY = BRIGHTNESS.replace(
    "\nclass", "\nimport os\n\nSEEN = sorted(name for name in os.environ if name.startswith('OF_'))\n\n\nclass"
)
SPY = SPY.replace(
    "        return", "        open(os.environ['REPORT'], 'w').write(f'{SEEN} {dict(os.environ)}')\n        return"
)
ENVIRONMENT = {
    "OF_TOKEN": SECRET,
    "OF_PASSWORD": SECRET[::-1],
    "OF_ADDRESS": f"https://user:{SECRET}@example.org",
    "OF_NAME": "seen",
    "CI_JOB_TOKEN": "5-abcdefghijklmnop",
}


@pytest.mark.parametrize("command", ["check", "run", "run in processes"])
def test_an_entry_sees_no_secret_and_all_the_rest(tree, photos, command):
    for name in ("spy", "spy_too"):
        tree.write(f"metrics/{name}.py", SPY)
    report = tree.root / "report"
    calls = {
        "check": ("check", "spy"),
        "run": ("run", "--metrics", "spy", "--attacks", "fgsm", "--dataset", photos, "--out", tree.root / "out"),
    }
    calls["run in processes"] = (*calls["run"][:2], "spy,spy_too", *calls["run"][3:], "--jobs", 2)
    tree.call(*calls[command], REPORT=str(report), **ENVIRONMENT)
    seen = report.read_text()
    assert seen.startswith("['OF_NAME'] ")
    assert not any(value in seen for name, value in ENVIRONMENT.items() if name != "OF_NAME")


def test_our_commands_find_a_hidden_secret(monkeypatch):
    monkeypatch.setattr(tokens, "_hidden", {})
    monkeypatch.setenv("BENCHMARK_PUBLISH_TOKEN", f" {SECRET}\n")
    assert tokens.token("BENCHMARK_PUBLISH_TOKEN") == SECRET
    hidden = tokens.hide()
    assert "BENCHMARK_PUBLISH_TOKEN" in hidden
    assert tokens.token("BENCHMARK_PUBLISH_TOKEN") == SECRET
    assert tokens.token("NO_SUCH_TOKEN") == ""
