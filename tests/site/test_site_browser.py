"""The pages in a browser, opened from files as a reader would."""

import csv
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from PIL import Image
from playwright.sync_api import expect

POINTS = "JSON.parse(document.getElementById('data').textContent)"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def filled(run_folder, make_row, black_box):
    """Returns a run with NR and FR metrics, a defended one, two data sets, a black-box attack and a hostile name."""
    for metric, by in {"calm": 0.1, "calm+jpeg": 0.05, "wild": 0.4, HOSTILE: 0.2}.items():
        run_folder.cell(metric, "ifgsm", [by, by + 0.05, by - 0.02], seconds={"": 6.0})
        black_box(run_folder.cell(metric, "madc", [by / 2, by / 2 + 0.01, by / 3]))
        run_folder.cell(metric, "noise", [0.01, -0.01, 0.0])
    run_folder.cell("likeness", "ifgsm", [0.3, 0.2, 0.1], kind="FR")
    reason = f"CUDA {HOSTILE} out of memory"
    stamp = run_folder.stamp("likeness", "madc", asked=3, kind="FR", status="failed", reason=reason)
    (run_folder.path / "likeness" / "madc.json").write_text(stamp.to_json(), encoding="utf-8")
    for folder in ("_clear/original", "none/default/ifgsm/calm/default"):
        file = run_folder.path / "images" / folder / "a.png.png"
        file.parent.mkdir(parents=True)
        Image.new("RGB", (384, 200), "teal").save(file)
    rows = [make_row(f"{i}.png", 0.5, 0.5 + 0.1 * i, dataset="other") for i in range(3)]
    run_folder.cell("elsewhere", "ifgsm", rows=rows, datasets=("other",))
    return run_folder


@pytest.fixture
def site(filled, build):
    return build(filled.path)


def metrics(page):
    """Returns the metrics that are shown, from top to bottom."""
    return page.locator("section.board:not([hidden]) table.ranking tbody tr th a")


def answer(page, question, value):
    """Chooses one of the answers that are all seen at once."""
    page.locator(f"#controls input[name={question}][value='{value}']").check()


def unfold(page):
    """Opens the filters that lie folded away."""
    page.locator("#controls summary").click()


def state(page):
    return page.evaluate("location.hash.slice(1)")


def headings(page, section=0):
    cells = page.locator("section.board").nth(section).locator("thead th:visible .dt-column-title")
    return cells.all_inner_texts()


def test_the_numbers_are_those_of_the_leaderboard(site, browse):
    content = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))
    page = browse(site / "index.html", "#type=all&family=*")
    compared = 0
    for index, section in enumerate(content["sections"]):
        board = page.locator("section.board").nth(index)
        names = board.locator("thead th").evaluate_all("cells => cells.map(cell => cell.dataset.name)")
        lines = board.locator("tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => [cell.dataset.order, cell.textContent.trim()]))"
        )
        assert len(lines) == len(section["metrics"]) > 0
        for line, metric in zip(lines, section["metrics"], strict=True):
            told = dict(zip(names, line, strict=True))
            assert told["metric"][0] == metric["metric"]
            assert told["rank"][0] == str(metric["rank"] or "")
            if metric["rank_interval"]:
                assert re.findall(r"\d+", told["rank"][1])[1:] == list(map(str, metric["rank_interval"]))
            effects = {"gain": (metric["worst_case"], "absolute_gain"), "r_score": (metric["worst_case"], "r_score")}
            effects |= {f"family:{name}": (each, "absolute_gain") for name, each in metric["families"].items()}
            effects |= {f"attack:{name}": (each, "absolute_gain") for name, each in metric["attacks"].items()}
            for name, (effect, score) in effects.items():
                exact, text = told[name]
                value = effect[score]["value"]
                assert float(exact) == value
                assert float(text.split(" ±")[0]) == pytest.approx(value, abs=0.00051)
                margin = (effect[score]["high"] - effect[score]["low"]) / 2
                assert float(text.split(" ±")[1]) == pytest.approx(margin, abs=0.00051)
                compared += 1
    assert compared > 20

    page.goto((site / "heatmap.html").as_uri())
    cells = page.locator("table.heat td[data-order]").evaluate_all(
        "cells => cells.map(cell => [Number(cell.dataset.order), Number(cell.textContent)])"
    )
    values = [
        effect["absolute_gain"]["value"]
        for section in content["sections"]
        for metric in section["metrics"]
        for effect in [
            metric["worst_case"],
            *(metric["attacks"][name] for name in section["attacks"] if name in metric["attacks"]),
        ]
    ]
    assert [exact for exact, _ in cells] == values
    assert all(shown == pytest.approx(exact, abs=0.0051) for exact, shown in cells)


def test_a_click_or_a_key_sorts_and_what_has_no_number_stays_last(site, browse, filled):
    page = browse(site / "index.html", "#set=sample&type=NR")
    expect(metrics(page)).to_have_text(["calm+jpeg", "calm", HOSTILE, "wild"])
    heading = page.locator("section.board:not([hidden]) th[data-name=gain]")
    heading.click()
    heading.click()
    expect(metrics(page)).to_have_text(["wild", HOSTILE, "calm", "calm+jpeg"])
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert "sort=gain%3Adesc" in state(page)
    page.locator("section.board:not([hidden]) th[data-name=metric] [role=button]").focus()
    page.keyboard.press("Enter")
    expect(metrics(page)).to_have_text([HOSTILE, "calm", "calm+jpeg", "wild"])

    page.goto((site / "index.html").as_uri() + "#type=NR&set=sample&sort=attack:madc:desc")
    expect(metrics(page).first).to_have_text("wild")


def test_an_unranked_metric_stands_last_whichever_way(run_folder, build, browse):
    run_folder.cell("whole", "ifgsm", [0.3, 0.4])
    run_folder.cell("whole", "madc", [0.3, 0.4])
    run_folder.cell("other", "ifgsm", [0.1, 0.2])
    run_folder.cell("other", "madc", [0.1, 0.2])
    run_folder.without_rows("none", "ifgsm", "skipped", "white-box attack on a metric without gradient")
    run_folder.without_rows("none", "madc", "skipped", "white-box attack on a metric without gradient")
    site = build(run_folder.path)
    for way, first in (("asc", "other"), ("desc", "whole")):
        page = browse(site / "index.html", f"#sort=gain:{way}")
        expect(metrics(page)).to_have_text([first, "whole" if first == "other" else "other", "none"])


def test_search_and_filters_choose_rows_and_columns(site, browse):
    page = browse(site / "index.html")
    expect(page.get_by_role("status")).to_have_text("5 of 6 metrics")  # those without reference come first
    unfold(page)
    page.get_by_label("Search").fill("cal")
    expect(metrics(page)).to_have_text(["calm+jpeg", "calm"])
    page.get_by_label("Defence").select_option("none")
    expect(metrics(page)).to_have_text(["calm"])
    page.get_by_label("Defence").select_option("jpeg")
    expect(metrics(page)).to_have_text(["calm+jpeg"])
    page.get_by_role("button", name="Clear").click()
    expect(metrics(page)).to_have_count(5)
    answer(page, "type", "all")
    expect(metrics(page)).to_have_count(6)
    answer(page, "type", "FR")
    expect(metrics(page)).to_have_text(["likeness"])
    expect(page.get_by_role("status")).to_have_text("1 of 6 metrics")
    answer(page, "type", "NR")
    page.get_by_label("Data set").select_option("other")
    expect(metrics(page)).to_have_text(["elsewhere"])
    page.get_by_role("button", name="Clear").click()

    sample = [each.get_attribute("data-set") for each in page.locator("section.board").all()].index("sample")
    assert not {"worst sign", "R-score"} & set(headings(page, sample))
    page.get_by_label("Family").select_option("each")
    shown = headings(page, sample)
    assert {"R-score", "images"} <= set(shown)
    assert {"worst optimised", "worst sign"} <= set(shown)
    assert "ifgsm" not in shown
    page.get_by_label("Access").select_option("black")
    assert {"madc"} == {name for name in headings(page, sample) if name in {"madc", "ifgsm", "noise (control)"}}
    page.get_by_label("Access").select_option("")
    page.get_by_label("Family").select_option("sign")
    assert [name for name in headings(page, sample) if "sign" in name or "fgsm" in name] == ["worst sign", "ifgsm"]
    page.get_by_label("Family").select_option("*")
    assert {"ifgsm", "madc", "noise (control)"} <= set(headings(page, sample))
    body = page.locator("section.board").nth(sample).locator("tbody tr").first
    assert body.locator("td:visible, th:visible").count() == len(headings(page, sample))


def test_the_address_holds_the_state_and_brings_it_back(site, browse):
    page = browse(site / "index.html")
    page.get_by_label("Search").fill("wild & calm")
    answer(page, "type", "all")
    unfold(page)
    page.get_by_label("Family").select_option("sign")
    page.locator("section.board:not([hidden]) th[data-name=r_score]").first.click()
    expect(page).to_have_url(re.compile("sort=r_score%3A"))
    again = browse(site / "index.html", f"#{state(page)}")
    assert again.get_by_label("Search").input_value() == "wild & calm"
    assert again.locator("input[name=type]:checked").input_value() == "all"
    assert again.get_by_label("Family").input_value() == "sign"
    heading = again.locator("section.board:not([hidden]) th[data-name=r_score]").first
    expect(heading).to_have_attribute("aria-sort", "ascending")
    again.get_by_role("button", name="Clear").click()
    assert state(again) == ""
    page.goto((site / "index.html").as_uri() + "#type=nonsense&sort=no:way&family=x")
    expect(metrics(page)).to_have_count(5)
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(metrics(page)).to_have_count(5)


def test_hostile_names_are_text(site, browse):
    page = browse(site / "index.html")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    assert HOSTILE in metrics(page).all_inner_texts()
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        assert page.locator("img[onerror]").count() == 0
        assert page.locator("img[src=x]").count() == 0
    page.goto((site / "index.html").as_uri())
    page.get_by_role("link", name=HOSTILE).first.click()
    assert page.locator("h1").inner_text() == HOSTILE
    expect(page.locator("figure svg")).to_have_count(3)


@pytest.mark.parametrize("bad", ["no stamp", "all failed", "one image"])
def test_bad_input_gives_no_blank_page_and_no_complaint(run_folder, build, browse, bad):
    if bad == "no stamp":
        run_folder.cell().with_suffix(".json").unlink()
    elif bad == "all failed":
        run_folder.without_rows("blur", "ifgsm", "failed", "CUDA is gone")
    else:
        run_folder.cell(gains=[0.25])
    site = build(run_folder.path)
    page = browse(site / "index.html")
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        assert len(page.locator("main").inner_text()) > 30, file.name


def test_every_link_leads_to_a_page(site, browse):
    page = browse(site / "index.html")
    targets = set()
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        targets |= set(page.locator("a[href]").evaluate_all("links => links.map(link => link.href.split('#')[0])"))
    assert len(targets) > 15
    files = {target: Path(unquote(urlparse(target).path)) for target in targets}
    assert [target for target, file in files.items() if not file.is_file() or site not in file.parents] == []


def test_downloads_hold_the_tables_and_every_row(site, browse, serve, filled, tmp_path):
    page = browse(f"{serve(site)}/downloads.html")
    names = page.locator("a[download]").all_inner_texts()
    assert {"leaderboard.csv", "leaderboard.json", "scores.csv", "rows.zip", "citation.bib"} <= set(names)
    for name in names:
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name, exact=True).click()
        waiting.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes() == (site / name).read_bytes()
    json.loads((tmp_path / "leaderboard.json").read_text(encoding="utf-8"))
    with zipfile.ZipFile(tmp_path / "rows.zip") as archive:
        rows = list(csv.DictReader(archive.read("wild/ifgsm.csv").decode().splitlines()))
        assert len(rows) == 3
        there = {file.relative_to(filled.path).as_posix() for file in filled.path.glob("[!.]*/*") if file.is_file()}
        assert set(archive.namelist()) == there


def test_from_files_a_download_is_kept_or_shown_as_it_is(site, chromium):
    start = (site / "downloads.html").as_uri()
    kept = []
    with chromium.new_context() as context:  # not `browse`: the browser reports a download as a failed page
        page = context.new_page()
        page.on("download", lambda file: kept.append(file.suggested_filename))
        page.goto(start)
        for name in page.locator("a[download]").all_inner_texts():
            page.get_by_role("link", name=name, exact=True).click()
            while name not in kept and page.url == start:
                page.wait_for_timeout(10)
            if name not in kept:
                shown = page.evaluate("document.body.innerText").split()
                assert shown == (site / name).read_text(encoding="utf-8").split()
                page.goto(start)
    assert {"leaderboard.csv", "scores.csv", "rows.zip"} <= set(kept)


def test_flags_are_explained_on_focus_and_in_the_text(site, browse):
    page = browse(site / "index.html", "#type=FR")
    badge = page.locator("section.board:not([hidden]) .badge", has_text="missing")
    badge.focus()
    tip = page.get_by_role("tooltip")
    assert f"madc: CUDA {HOSTILE} out of memory" in tip.inner_text()
    assert badge.get_attribute("aria-describedby") == tip.get_attribute("id")
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    badge.hover()
    assert tip.is_visible()


def test_the_plots_are_drawn_and_follow_the_chosen_attack(site, browse):
    page = browse(site / "metrics" / "calm.html")
    expect(page.locator("figure svg[role=img]")).to_have_count(3)
    label = "Histogram of the scores before and after"
    expect(page.locator("figure svg").first).to_have_attribute("aria-label", f"{label} ifgsm")
    assert page.locator("figure svg").nth(1).locator("circle").count() == 3
    page.locator("select").select_option("noise")
    expect(page.locator("figure svg").first).to_have_attribute("aria-label", f"{label} noise")
    page.goto((site / "plots.html").as_uri())
    expect(page.locator("figure[data-plot=ranks] svg")).to_have_count(3)
    expect(page.locator("figure[data-plot=speed] svg")).to_have_count(1)  # where seconds are known


def test_accuracy_is_that_of_the_leaderboard_on_the_images_that_were_rated(run_folder, build, browse, make_row):
    scores = {"calm": [0.1, 0.2, 0.3, 0.4], "wild": [0.2, 0.1, 0.4, 0.3]}
    for metric, clear in scores.items():
        rows = [make_row(f"{i}.png", score, 0.5, "rated", mos=i) for i, score in enumerate(clear)]
        run_folder.cell(metric, "fgsm", rows=rows, datasets=("rated",), seconds={"": 8.0})
        run_folder.cell(metric, "ifgsm", [0.1, 0.2])
    run_folder.cell("unrated", "ifgsm", [0.1, 0.3])
    site = build(run_folder.path)
    sections = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))["sections"]
    told = {metric["metric"]: metric["opinions"]["fgsm"]["srocc_clear"] for metric in sections[0]["metrics"]}
    assert told == {"calm": 1, "wild": 0.6}
    page = browse(site / "plots.html")
    drawn = page.locator("figure[data-plot=accuracy]")
    expect(drawn.locator("svg[role=img]")).to_have_count(2)  # one of the rated images, one of the others
    for i, section in enumerate(sections):
        points = {each["metric"]: each["srocc"] for each in page.evaluate(POINTS)[i]["metrics"]}
        assert points == pytest.approx({each["metric"]: told.get(each["metric"]) for each in section["metrics"]})
        assert drawn.nth(i).locator("circle").count() == 2
    expect(drawn.nth(1)).to_contain_text("of rated")
    page.goto((site / "metrics" / "wild.html").as_uri())
    expect(page.get_by_text("0.600 → n/a")).to_be_visible()  # all attacked images score alike


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_no_page_is_wider_than_the_screen(site, browse, width):
    page = browse(site / "index.html", viewport={"width": width, "height": 800})
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, file.name


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
