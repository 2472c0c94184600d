"""The ranking in a browser: its numbers, sorted, searched and filtered, and the address that keeps all this."""

import json
import re

import pytest
from page_text import HOSTILE
from playwright.sync_api import expect
from ranking_page import answer, board, boards, headings, metrics_of, state, unfold


def test_the_numbers_are_those_of_the_leaderboard(site, browse):
    content = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))
    page = browse(site / "index.html", "#type=all&family=*")
    compared = 0
    for index, section in enumerate(content["sections"]):
        place = board(page, index)
        names = place.locator("thead th").evaluate_all("cells => cells.map(cell => cell.dataset.name)")
        lines = place.locator("tbody tr").evaluate_all(
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


def test_a_click_or_a_key_sorts_and_what_has_no_number_stays_last(site, browse, varied):
    page = browse(site / "index.html", "#set=sample&type=NR")
    expect(metrics_of(boards(page))).to_have_text(["calm+jpeg", "calm", HOSTILE, "wild"])
    heading = boards(page).locator("th[data-name=gain]")
    heading.click()
    heading.click()
    expect(metrics_of(boards(page))).to_have_text(["wild", HOSTILE, "calm", "calm+jpeg"])
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert "sort=gain%3Adesc" in state(page)
    boards(page).locator("th[data-name=metric] [role=button]").focus()
    page.keyboard.press("Enter")
    expect(metrics_of(boards(page))).to_have_text([HOSTILE, "calm", "calm+jpeg", "wild"])

    page.goto((site / "index.html").as_uri() + "#type=NR&set=sample&sort=attack:madc:desc")
    expect(metrics_of(boards(page)).first).to_have_text("wild")


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
        expect(metrics_of(boards(page))).to_have_text([first, "whole" if first == "other" else "other", "none"])


def test_a_metric_on_two_data_sets_is_one_metric(run_folder, make_row, build, browse):
    for metric in ("calm", "wild"):
        rows = [make_row(f"{i}.png", 0.5, 0.6, dataset=name) for name in ("one", "My  photos") for i in range(2)]
        run_folder.cell(metric, "ifgsm", rows=rows, datasets=("one", "My  photos"))
    page = browse(build(run_folder.path) / "index.html")
    expect(page.locator(".lead")).to_contain_text("2 metrics, 1 attack.")
    expect(page.get_by_role("status")).to_have_text("2 of 2 metrics")
    page.get_by_label("Search").fill("calm")
    expect(page.get_by_role("status")).to_have_text("1 of 2 metrics")
    page.get_by_label("Search").fill("")
    unfold(page)
    page.get_by_label("Data set").select_option(index=1)  # in the list, a browser shows one space
    expect(boards(page)).to_have_count(1)
    expect(page.get_by_role("status")).to_have_text("2 of 2 metrics")


def test_search_and_filters_choose_rows_and_columns(site, browse):
    page = browse(site / "index.html")
    expect(page.get_by_role("status")).to_have_text("5 of 6 metrics")  # those without reference come first
    unfold(page)
    page.get_by_label("Search").fill("cal")
    expect(metrics_of(boards(page))).to_have_text(["calm+jpeg", "calm"])
    page.get_by_label("Defence").select_option("none")
    expect(metrics_of(boards(page))).to_have_text(["calm"])
    page.get_by_label("Defence").select_option("jpeg")
    expect(metrics_of(boards(page))).to_have_text(["calm+jpeg"])
    page.get_by_role("button", name="Clear").click()
    expect(metrics_of(boards(page))).to_have_count(5)
    answer(page, "type", "all")
    expect(metrics_of(boards(page))).to_have_count(6)
    answer(page, "type", "FR")
    expect(metrics_of(boards(page))).to_have_text(["likeness"])
    expect(page.get_by_role("status")).to_have_text("1 of 6 metrics")
    answer(page, "type", "NR")
    page.get_by_label("Data set").select_option("other")
    expect(metrics_of(boards(page))).to_have_text(["elsewhere"])
    page.get_by_role("button", name="Clear").click()

    sample = [each.get_attribute("data-set") for each in page.locator("section.board").all()].index("sample")
    assert not {"worst sign", "R-score"} & set(headings(board(page, sample)))
    page.get_by_label("Family").select_option("each")
    shown = headings(board(page, sample))
    assert {"R-score", "images"} <= set(shown)
    assert {"worst optimised", "worst sign"} <= set(shown)
    assert "ifgsm" not in shown
    page.get_by_label("Access").select_option("black")
    assert {"madc"} == {name for name in headings(board(page, sample)) if name in {"madc", "ifgsm", "noise (control)"}}
    page.get_by_label("Access").select_option("")
    page.get_by_label("Family").select_option("sign")
    assert [name for name in headings(board(page, sample)) if "sign" in name or "fgsm" in name] == [
        "worst sign",
        "ifgsm",
    ]
    page.get_by_label("Family").select_option("*")
    assert {"ifgsm", "madc", "noise (control)"} <= set(headings(board(page, sample)))
    body = board(page, sample).locator("tbody tr").first
    assert body.locator("td:visible, th:visible").count() == len(headings(board(page, sample)))


def test_the_address_holds_the_state_and_brings_it_back(site, browse):
    page = browse(site / "index.html")
    page.get_by_label("Search").fill("wild & calm")
    answer(page, "type", "all")
    unfold(page)
    page.get_by_label("Family").select_option("sign")
    boards(page).locator("th[data-name=r_score]").first.click()
    expect(page).to_have_url(re.compile("sort=r_score%3A"))
    again = browse(site / "index.html", f"#{state(page)}")
    assert again.get_by_label("Search").input_value() == "wild & calm"
    assert again.locator("input[name=type]:checked").input_value() == "all"
    assert again.get_by_label("Family").input_value() == "sign"
    heading = boards(again).locator("th[data-name=r_score]").first
    expect(heading).to_have_attribute("aria-sort", "ascending")
    again.get_by_role("button", name="Clear").click()
    assert state(again) == ""
    page.goto((site / "index.html").as_uri() + "#type=nonsense&sort=no:way&family=x")
    expect(metrics_of(boards(page))).to_have_count(5)
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(metrics_of(boards(page))).to_have_count(5)


def test_flags_are_explained_on_focus_and_in_the_text(site, browse):
    page = browse(site / "index.html", "#type=FR")
    badge = boards(page).locator(".badge", has_text="missing")
    badge.focus()
    tip = page.get_by_role("tooltip")
    assert f"madc: CUDA {HOSTILE} out of memory" in tip.inner_text()
    assert badge.get_attribute("aria-describedby") == tip.get_attribute("id")
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    badge.hover()
    assert tip.is_visible()
