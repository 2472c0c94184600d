"""The pages in a browser, opened from files as a reader would: whole, linked, escaped, with their plots."""

import json
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from page_text import HOSTILE
from playwright.sync_api import expect
from ranking_page import boards, metrics_of

POINTS = "JSON.parse(document.getElementById('data').textContent)"


def test_hostile_names_are_text(site, browse):
    page = browse(site / "index.html")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    assert HOSTILE in metrics_of(boards(page)).all_inner_texts()
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
