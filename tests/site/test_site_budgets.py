"""The ranking within smaller budgets and downwards, spared attacks, and the security curve on a metric's page."""

import json
import math
import re

import pytest
from playwright.sync_api import expect
from ranking_page import answer, board, headings, metrics_of, state, unfold
from run_folder import restamp

NUMBERS = "rows => rows.map(row => [...row.cells].filter(cell => !cell.hidden).map(cell => cell.dataset.order))"
REASON = "gradients lead further <b>here</b>"
OF_THE_WHOLE_BUDGET = {
    "R-score",
    "worst sign",
    "worst query",
    "mean over budgets",
    "budget for 0.1",
    "gain, worst case",
}


@pytest.fixture
def searched(run_folder, make_row):
    """Returns a run whose metrics change places between budgets; some have no curve, no fall or no gradient."""

    def cell(metric, attack, within, **changes):
        """Writes a cell with two images, from their gains by budget."""
        rows = [
            make_row(
                f"{i}.png", clear, clear + by, linf=budget / 255, variant="" if budget == 10 else f"eps={budget}/255"
            )
            for budget, gains in within.items()
            for i, (clear, by) in enumerate(zip((0.2, 0.4), gains, strict=True))
        ]
        return run_folder.cell(metric, attack, rows=rows, asked=2, **changes)

    cell("late", "ifgsm", {2: (0.01, 0.03), 4: (0.02, 0.06), 10: (0.5, 0.6)})
    cell("soon", "ifgsm", {2: (0.2, 0.3), 4: (0.25, 0.3), 10: (0.25, 0.35)})
    cell("firm", "ifgsm", {2: (0.0, 0.01), 4: (0.01, 0.02), 10: (0.02, 0.04)})
    cell("whole", "ifgsm", {10: (0.1, 0.2)})
    cell("soon", "square", {2: (0.1, 0.1), 4: (0.1, 0.1), 10: (0.1, 0.1)}, access="black")
    for metric in ("late", "firm", "whole"):
        run_folder.cell(metric, "square", rows=[], asked=2, access="black", spared={"sample": REASON})
    for metric, falls in {"late": (-0.1, -0.2), "soon": (-0.5, -0.4), "whole": (-0.3, -0.3)}.items():
        cell(metric, "fgsm", {10: falls}, settings={"goal": "worse"})
    blind = cell("blind", "square", {2: (0.1, 0.2), 4: (0.2, 0.2), 10: (0.3, 0.2)}, access="black")
    restamp(blind, lambda told: told["metric"].update(differentiable=False))
    return run_folder


@pytest.fixture
def site(searched, build):
    return build(searched.path)


@pytest.fixture
def metrics(site):
    """Returns the metrics of the board of those with gradients, as leaderboard.json has them."""
    sections = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))["sections"]
    assert [section["title"] for section in sections] == [
        "NR metrics on sample",
        "NR metrics without gradients on sample",
    ]
    return {metric["metric"]: metric for metric in sections[0]["metrics"]}


def lines(page):
    """Returns the numbers of the rows that are shown, by heading, from top to bottom."""
    rows = board(page).locator("tbody tr").evaluate_all(NUMBERS)
    return [dict(zip(headings(board(page)), row, strict=True)) for row in rows]


def chosen(page, question):
    return page.locator(f"#controls input[name={question}]:checked")


def family(page, name):
    """Chooses which columns stand beside the worst case; the filters lie folded away."""
    unfold(page)
    page.get_by_label("Family").select_option(name)


@pytest.mark.parametrize("budget", ["2", "4"])
def test_within_a_smaller_budget_rank_and_gain_are_those_of_the_leaderboard(site, metrics, browse, budget):
    page = browse(site / "index.html", "#family=each")
    expect(metrics_of(board(page))).to_have_text(["firm", "whole", "soon", "late"])
    assert set(headings(board(page))) >= OF_THE_WHOLE_BUDGET
    answer(page, "budget", budget)
    expect(metrics_of(board(page))).to_have_text(["firm", "late", "soon", "whole"])
    assert headings(board(page))[:3] == ["rank", "metric", f"gain within {budget}/255"]
    for line in lines(page)[:-1]:
        curve = metrics[line["metric"]]["curve"]
        assert int(line["rank"]) == curve["ranks"][budget]
        assert float(line[f"gain within {budget}/255"]) == curve["worst_cases"][budget]["absolute_gain"]["value"]
    last = board(page).locator("tbody tr").last
    assert last.locator("td:visible").nth(0).inner_text() == last.locator("td:visible").nth(1).inner_text() == "n/a"


def test_beside_a_smaller_budget_stands_nothing_of_the_whole_one(site, metrics, browse):
    page = browse(site / "index.html")
    family(page, "*")
    answer(page, "budget", "2")
    caption = board(page).locator(".caption")
    expect(caption).to_contain_text("worst case within 2/255", use_inner_text=True)
    assert not OF_THE_WHOLE_BUDGET & set(headings(board(page)))
    assert not {"ifgsm", "square"} & set(headings(board(page)))
    assert page.get_by_label("Family").is_disabled()
    text = caption.inner_text()
    assert "within 10/255." not in text
    assert "differ by about" not in text
    assert board(page).locator("td.rank small:visible").count() == 0  # the interval of a rank
    answer(page, "budget", "")
    expect(caption).to_contain_text("worst case within 10/255.", use_inner_text=True)
    assert {"ifgsm", "square"} <= set(headings(board(page)))
    assert state(page) == "family=*"


def test_the_address_keeps_budget_and_sort(site, browse):
    page = browse(site / "index.html", "#sort=r_score:asc")
    order = metrics_of(board(page)).all_inner_texts()
    answer(page, "budget", "2")
    assert "budget=2" in state(page)
    expect(metrics_of(board(page))).to_have_text(["firm", "late", "soon", "whole"])  # there is no R-score to sort by
    page.reload()
    expect(chosen(page, "budget")).to_have_value("2")
    expect(metrics_of(board(page))).to_have_text(["firm", "late", "soon", "whole"])
    answer(page, "budget", "")
    expect(metrics_of(board(page))).to_have_text(order)
    answer(page, "budget", "2")
    heading = board(page).locator("th:visible", has_text="gain within 2/255")
    heading.click()
    heading.click()
    expect(metrics_of(board(page))).to_have_text(["soon", "late", "firm", "whole"])
    assert "sort=gain%3Adesc" in state(page)
    page.get_by_role("button", name="Clear").click()
    assert state(page) == ""
    expect(metrics_of(board(page))).to_have_text(["firm", "whole", "soon", "late"])
    page.goto((site / "index.html").as_uri() + "#budget=3")
    expect(chosen(page, "budget")).to_have_value("")


def test_direction_worse_shows_falls_within_the_whole_budget(site, metrics, browse):
    page = browse(site / "index.html", "#budget=2")
    answer(page, "direction", "worse")
    expect(chosen(page, "budget")).to_have_value("")
    assert state(page) == "direction=worse"
    expect(metrics_of(board(page))).to_have_text(["late", "whole", "soon", "firm"])
    for line in lines(page)[:-1]:
        metric = metrics[line["metric"]]
        assert int(line["rank"]) == metric["fall_rank"]
        assert float(line["largest fall"]) == metric["fall"]["absolute_gain"]["value"] < 0
        assert float(line["swing"]) == metric["swing"]["value"]
    assert lines(page)[-1]["largest fall"] == lines(page)[-1]["swing"] == ""
    assert not OF_THE_WHOLE_BUDGET & set(headings(board(page)))
    page.reload()
    expect(metrics_of(board(page))).to_have_text(["late", "whole", "soon", "firm"])
    answer(page, "budget", "4")
    assert state(page) == "budget=4"
    page.goto((site / "index.html").as_uri() + "#budget=2&direction=worse")
    expect(metrics_of(board(page))).to_have_text(["late", "whole", "soon", "firm"])
    expect(chosen(page, "budget")).to_have_value("")


def test_a_control_without_anything_to_choose_is_not_there(run_folder, build, browse):
    run_folder.cell("calm", "ifgsm", [0.1, 0.2])
    page = browse(build(run_folder.path) / "index.html", "#budget=2&direction=worse")
    assert page.locator("#controls input[type=radio]").count() == 0
    assert headings(board(page))[:3] == ["rank", "metric", "gain, worst case"]


def test_rows_that_the_search_took_out_change_their_columns_too(site, metrics, browse):
    page = browse(site / "index.html", "#q=late")
    answer(page, "budget", "2")
    expect(board(page).locator(".caption")).to_contain_text("worst case within 2/255", use_inner_text=True)
    page.get_by_label("Search").fill("")
    expect(metrics_of(board(page))).to_have_count(4)
    assert {line["metric"]: line["rank"] for line in lines(page)} == {
        name: str(metric["curve"]["ranks"]["2"] if metric["curve"] else "") for name, metric in metrics.items()
    }


def test_mean_over_budgets_and_smallest_budget_stand_beside_the_whole_one(site, metrics, browse):
    page = browse(site / "index.html", "#family=each")
    for line in lines(page):
        curve = metrics[line["metric"]]["curve"]
        if curve is None:
            assert line["mean over budgets"] == line["budget for 0.1"] == ""
            continue
        assert float(line["mean over budgets"]) == curve["area"]["value"]
        assert float(line["budget for 0.1"]) == float(curve["smallest_budget"]["value"])
    assert float(lines(page)[0]["budget for 0.1"]) == math.inf
    heading = board(page).locator("th:visible", has_text="budget for 0.1")
    heading.click()
    expect(metrics_of(board(page))).to_have_text(
        ["soon", "late", "firm", "whole"]
    )  # "> 10" is larger than any number, "n/a" is none
    assert "> 10" in board(page).locator("tbody tr").nth(2).inner_text()


def test_what_was_spared_is_not_missing_and_says_why(site, browse):
    page = browse(site / "index.html", "#family=*")
    rows = board(page).locator("tbody tr")
    cell = rows.filter(has=page.locator("th", has_text="late")).locator("td:visible .spared")
    cell.focus()
    expect(page.get_by_role("tooltip")).to_have_text(f"square: {REASON}.")
    assert board(page).locator(".badge.absent").count() == 1  # fgsm, which firm lacks
    expect(page.locator("details", has_text="late: square")).to_have_count(1)
    page.goto((site / "index.html").as_uri() + "#family=query")
    assert "spared" in rows.filter(has_text="late").inner_text()
    page.goto((site / "heatmap.html").as_uri())
    row = page.locator("table.heat tbody tr").filter(has_text="late").first
    assert re.findall("spared|n/a", row.inner_text()) == ["spared"]
    page.goto((site / "metrics" / "late.html").as_uri())
    expect(page.get_by_text(f"spared: {REASON}")).to_be_visible()
    page.goto((site / "attacks" / "square.html").as_uri())
    told = page.locator("h3:text('Spared') + ul").first
    assert told.locator("li").all_inner_texts() == [f"{name}: {REASON}" for name in ("firm", "whole", "late")]


def test_a_metrics_page_draws_its_curve_beside_its_numbers(site, metrics, browse):
    page = browse(site / "metrics" / "late.html")
    drawn = page.locator("figure.curve svg")
    expect(drawn).to_have_attribute("aria-label", "Worst-case gain of late by budget")
    assert drawn.locator("circle").count() == 4  # 0, 2, 4 and 10
    page.locator("summary", has_text="Gain and rank by budget").click()
    table = page.get_by_role("region", name="Gain and rank by budget").locator("tbody tr")
    curve = metrics["late"]["curve"]
    for row, (budget, effect) in zip(table.all(), curve["worst_cases"].items(), strict=True):
        told, gain, rank = row.locator("th, td").all_inner_texts()
        assert told == f"{budget}/255"
        assert gain.startswith(f"{effect['absolute_gain']['value']:.3f} ±")
        assert int(rank) == curve["ranks"][budget]
    text = page.locator("main").inner_text()
    assert f"{curve['area']['value']:.3f} ±" in text
    assert f"a tenth of its range is {curve['smallest_budget']['value']:.1f}" in text
    assert "rank 1 of 3, the smallest fall first" in text
    assert f"{metrics['late']['swing']['value']:.3f} ±" in text
    page.goto((site / "metrics" / "blind.html").as_uri())
    assert "Rank 1 of 1 NR metrics without gradients" in page.locator("main").inner_text()
    page.goto((site / "metrics" / "whole.html").as_uri())
    assert page.locator("figure.curve").count() == 0


def test_without_scripts_the_whole_budget_is_shown(site, browse):
    page = browse(site / "index.html", java_script_enabled=False)
    told = board(page).locator("thead th:visible").all_inner_texts()
    assert told[:3] == ["rank", "metric", "gain, worst case"]
    assert told.count("rank") == 1
    assert "within 2/255" not in board(page).inner_text()


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_screen(site, browse, width):
    page = browse(site / "index.html", "#budget=2", viewport={"width": width, "height": 800})
    for file in ("index.html", "metrics/late.html", "heatmap.html", "attacks/square.html", "about.html"):
        page.goto((site / file).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, file
