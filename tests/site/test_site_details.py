"""What the ranking and the pages of metrics load when it is asked for, from files beside them."""

import pytest
from page_text import HOSTILE, handed, text
from playwright.sync_api import expect
from ranking_page import answer, board, boards, headings, metrics_of, settled, unfold
from run_folder import row

from metric_robustness.pipeline.site.details import LONG

METRICS = [f"m{i:02}" for i in range(20)]
ASSETS = {"dataTables.min.js", "details.js", "ranking.js", "theme.js", "tooltip.js"}


@pytest.fixture
def watch(browse):
    """Opens a page in a low window; returns it with the names of the scripts that it loads, which grow with its use."""

    def start(place):
        page = browse(place, viewport={"width": 1280, "height": 250})
        names = []
        page.on("request", lambda asked: names.append(asked.url.rpartition("/")[2]))
        page.reload()
        return page, names

    return start


def scripts(names):
    return {name for name in names if name.endswith(".js")}


@pytest.fixture
def site(run_folder, build):
    """Returns a site whose ranking is longer than what is loaded ahead of a reader."""
    for i, metric in enumerate(METRICS, 1):
        run_folder.curve(metric, {2: (0.01 * i, 0.02 * i), 10: (0.02 * i, 0.03 * i)})
        run_folder.cell(metric, "fgsm", [-0.02 * i, -0.01 * i], settings={"goal": "worse"})
    run_folder.cell("likeness", "ifgsm", [0.3, 0.2], kind="FR")
    return build(run_folder.path)


def test_the_ranking_holds_no_details_and_loads_none_by_itself(site, watch):
    page, names = watch(site / "index.html")
    assert scripts(names) == ASSETS
    there = (site / "index.html").read_text(encoding="utf-8")
    details = {file.stem: file.read_text(encoding="utf-8") for file in site.glob("details/ranking-*.js")}
    assert {"ranking-1-2", "ranking-1-worse", "ranking-1-more", "ranking-1-attacks", "ranking-1-curves"} <= set(details)
    for mark in ("gain within 2/255", "largest fall<", "R-score</th>", "worst sign", "attack:ifgsm", "<figcaption>"):
        assert mark not in there
        assert any(mark in content for content in details.values()), mark
    names = board(page).locator("thead th").evaluate_all("heads => heads.map(head => head.dataset.name)")
    assert names == ["rank", "metric", "gain", "bar", "curve", "smallest"]


def test_columns_come_from_files_when_they_are_asked_for_and_once(site, watch):
    page, names = watch(site / "index.html")
    assert page.url.startswith("file://")
    answer(page, "budget", "2")
    assert scripts(names) - ASSETS == {"ranking-1-2.js"}
    assert headings(board(page))[:3] == ["rank", "metric", "gain within 2/255"]
    expect(metrics_of(boards(page))).to_have_text(METRICS)
    answer(page, "budget", "")
    answer(page, "budget", "2")
    answer(page, "direction", "worse")
    answer(page, "direction", "")
    unfold(page)
    page.get_by_label("Family").select_option("*")
    assert {"ifgsm", "R-score"} <= set(headings(board(page)))
    answer(page, "type", "all")
    assert {"ifgsm", "R-score"} <= set(headings(board(page, 1)))
    loaded = [name for name in names if name.startswith("ranking-")]
    assert sorted(loaded) == sorted({*loaded})
    assert {"ranking-2-more.js", "ranking-2-attacks.js"} <= set(loaded)


def test_an_answer_while_columns_are_on_their_way_shows_the_last_one(site, watch):
    page, names = watch(site / "index.html")
    page.evaluate(
        """() => {
          for (const name of ["2", ""]) document.querySelector(`[name=budget][value="${name}"]`).click();
          document.querySelector("[name=direction][value=worse]").click();
        }"""
    )
    assert headings(board(page))[:3] == ["rank", "metric", "largest fall"]
    assert {"ranking-1-2.js", "ranking-1-worse.js"} <= set(names)


def test_curves_are_loaded_once_they_are_nearly_in_sight(site, watch):
    page, names = watch(site / "index.html")
    assert page.locator(".multiples figure").count() == 0
    page.locator("h3", has_text="How fast each gives way").first.scroll_into_view_if_needed()
    page.mouse.wheel(0, 2000)
    drawn = page.locator(".multiples figure")
    expect(drawn).to_have_count(20)
    assert drawn.first.locator("svg").get_attribute("aria-label").startswith("Worst-case gain of m00 by budget")
    assert scripts(names) - ASSETS == {"ranking-1-curves.js"}


def test_a_metrics_points_are_loaded_once_they_are_nearly_in_sight(site, watch):
    page, names = watch(site / "metrics" / "m00.html")
    assert not {name for name in names if "points" in name}
    page.locator(".profile").scroll_into_view_if_needed()
    expect(page.locator(".profile figure svg[role=img]")).to_have_count(3)
    assert "m00-1-points.js" in names
    points = handed(site / "details" / "metrics" / "m00-1-points.js")
    assert {"ifgsm", "fgsm"} == set(points)
    assert "edges" not in (site / "metrics" / "m00.html").read_text(encoding="utf-8")


def test_long_lists_stand_in_files_and_come_when_they_are_opened(run_folder, build, watch):
    metrics = [f"m{i:02}" for i in range(LONG + 1)]
    for metric in metrics:
        run_folder.cell(metric, "ifgsm", [0.1, 0.2], flaws={"": {"zero gradient": 2}})
        run_folder.without_rows(metric, "madc", "failed", f"{metric} {HOSTILE} out of memory")
    run_folder.cell(metrics[0], "fgsm", rows=_settings())
    site = build(run_folder.path)
    page, names = watch(site / "index.html")
    assert scripts(names) == ASSETS
    assert "m00 sample failed" not in text(site / "index.html")
    page.locator("summary", has_text="each with its reason").click()
    table = page.get_by_role("region", name="What is missing")
    for metric in metrics:
        expect(table.locator("td", has_text=f"{metric} {HOSTILE} out of memory")).to_have_count(1)
    page.locator("#doubts").scroll_into_view_if_needed()
    expect(page.locator("details", has_text="m40: Zero gradients")).to_have_count(1)
    assert page.locator("img").count() == 0
    page.goto((site / "metrics" / "m00.html").as_uri())
    page.locator("summary", has_text="Under other budgets and settings").click()
    expect(page.get_by_role("region", name="Gain under other budgets").locator("tbody tr")).to_have_count(LONG + 1)


def _settings():
    """Returns rows of so many settings that their table is long."""
    return [row(name, 0.4, 0.5, variant=f"steps={i}") for i in range(LONG + 1) for name in ("a.png", "b.png")]


def test_hostile_names_in_details_are_text(varied, build, browse):
    varied.curve(HOSTILE, {2: (0.1, 0.2), 10: (0.3, 0.4)})
    varied.curve("calm", {2: (0.0, 0.1), 10: (0.1, 0.2)})
    site = build(varied.path)
    page = browse(site / "index.html", "#type=all&family=*")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    settled(page)
    for state in ("#budget=2", "#family=each&type=FR", "#q=img"):
        page.goto((site / "index.html").as_uri() + state)
        settled(page)
        assert page.locator("img[onerror], img[src=x]").count() == 0
    assert HOSTILE in metrics_of(boards(page)).all_inner_texts()
    page.locator(".multiples").first.scroll_into_view_if_needed()
    expect(page.locator(".multiples figcaption a", has_text=HOSTILE)).to_have_count(1)
    assert page.locator("img[onerror], img[src=x]").count() == 0


def test_a_file_that_is_not_there_is_told(site, chromium):
    (site / "details" / "ranking-1-2.js").unlink()
    with chromium.new_context() as context:  # not `browse`: the browser reports a missing file
        page = context.new_page()
        page.goto((site / "index.html").as_uri())
        page.locator("#controls input[name=budget][value='2']").check()
        expect(page.get_by_role("status")).to_contain_text("details/ranking-1-2.js could not be read")
        assert not board(page).locator("table").is_visible()  # its columns are of another budget
        answer(page, "budget", "")
        expect(metrics_of(boards(page))).to_have_text(METRICS)
        expect(page.get_by_role("status")).not_to_contain_text("could not")


def test_without_scripts_the_ranking_says_where_the_curves_numbers_are(site, browse):
    page = browse(site / "index.html", java_script_enabled=False)
    expect(page.locator(".later noscript p").first).to_be_visible()
    assert "their numbers stand on the metrics' pages" in page.locator(".later").first.inner_text()
    expect(metrics_of(board(page))).to_have_text(METRICS)


def test_the_ranking_weighs_the_same_however_many_attacks_there_are(run_folder, build):
    def page(name, attacks):
        for metric in range(20):
            for attack in attacks:
                run_folder.cell(f"m{metric:02}", attack, [0.1, 0.2, 0.15])
        return (build(run_folder.path, name) / "index.html").stat().st_size

    few = page("few", ["ifgsm", "noise"])
    many = page("many", ["fgsm", "madc", "uap", "square"])
    assert few < 20 * 1_500 + 10_000
    assert many < few + 20 * 50  # names, for the filter and for what is missing
