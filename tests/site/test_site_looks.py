"""Everybody can read the pages: on any screen, in any theme, without scripts, without seeing them."""

import pytest


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_no_page_is_wider_than_the_screen(site, browse, width):
    page = browse(site / "index.html", viewport={"width": width, "height": 800})
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, file.name


def test_a_long_name_of_a_data_set_widens_no_page(run_folder, make_row, build, browse):
    name = "holidays_in_the_mountains_2023_compressed_to_web_size_and_sorted_by_day"
    rows = [make_row(f"{name}_{i}.png", 0.5, 0.6 + i / 10, dataset=name) for i in range(2)]
    run_folder.cell("calm", "ifgsm", rows=rows, datasets=(name,))
    site = build(run_folder.path)
    page = browse(site / "index.html", viewport={"width": 360, "height": 800})
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, file.name


def test_the_theme_follows_the_system_until_it_is_chosen(site, browse):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = browse(site / "index.html", color_scheme="light")
    dark = browse(site / "index.html", color_scheme="dark")
    assert light.evaluate(ground) != dark.evaluate(ground)
    expected = light.evaluate(ground)
    dark.get_by_role("button", name="Light theme").click()
    assert dark.evaluate(ground) == expected
    dark.reload()
    assert dark.evaluate(ground) == expected
    assert dark.get_by_role("button", name="Dark theme").is_visible()


def test_a_printed_heat_map_keeps_its_colours(site, browse):
    page = browse(site / "heatmap.html", color_scheme="dark")
    page.emulate_media(media="print")
    for coloured in ("table.heat tbody td", ".legend span"):
        kept = page.locator(coloured).evaluate_all(
            "cells => cells.map((cell) => getComputedStyle(cell).printColorAdjust)"
        )
        assert {*kept} == {"exact"}  # else browsers leave the ground of cells out, which is what the map says


def test_without_scripts_every_number_is_there(site, browse):
    page = browse(site / "index.html", java_script_enabled=False)
    assert page.locator("section.board table").count() == 3
    assert page.locator("#controls").is_hidden()
    assert "0.11" in page.locator("section.board").filter(has_text="calm").first.inner_text()


CONTRAST = """() => {
  const linear = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const style = getComputedStyle(node);
      const colour = rgba(style.backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest("svg, noscript, script")) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${node.tagName}.${node.className}: ${node.textContent.trim()}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(site, browse, scheme):
    page = browse(site / "index.html", color_scheme=scheme)
    for name in ("index.html", "heatmap.html", "plots.html", "metrics/calm.html", "downloads.html", "about.html"):
        page.goto((site / name).as_uri())
        assert page.evaluate(CONTRAST) == [], name


def test_everything_has_a_name_for_those_who_cannot_see_it(site, browse):
    page = browse(site / "index.html")
    for name in ("index.html", "plots.html", "metrics/calm.html", "attacks/ifgsm.html", "heatmap.html"):
        page.goto((site / name).as_uri())
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("h1").count() == 1
        assert page.locator("img:not([alt])").count() == 0
        assert page.locator("figure svg:not([aria-label])").count() == 0
        assert page.locator("thead th:not([scope])").count() == 0
        nameless = "nodes => nodes.filter(node => !node.labels.length).map(node => node.name)"
        assert page.locator("select, input").evaluate_all(nameless) == []
