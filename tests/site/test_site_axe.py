"""Every kind of page can be used by everybody, as far as axe can tell."""

from pathlib import Path

import pytest
from needed import absent

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = """async () => (await axe.run({ preload: false })).violations.map(
  (each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.html).join(" ")}`
)"""


@pytest.fixture
def axe():
    if not AXE.is_file():
        absent(f"{AXE.name} must be in node_modules: run npm ci")
    return AXE.read_text(encoding="utf-8")


@pytest.mark.parametrize("screen", [(360, "light"), (1440, "dark")])
def test_axe_finds_nothing_on_any_kind_of_page(rich, build, browse, axe, screen):
    site = build(rich.path)
    width, scheme = screen
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
    page = browse(site / "index.html", "#type=all&family=*", **options)
    kinds = [file.name for file in sorted(site.glob("*.html"))] + ["metrics/weak.html", "attacks/ifgsm.html"]
    assert "defences.html" in kinds
    for name in kinds:
        page.goto((site / name).as_uri())
        page.wait_for_load_state()
        page.evaluate(axe)
        assert page.evaluate(VIOLATIONS) == [], name
