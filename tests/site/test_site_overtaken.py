"""A metric's page says how often an attacked encoding overtakes a clear better one."""

from __future__ import annotations

from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.build import write_site


def test_the_page_has_the_share_within_the_budget_and_what_was_wrong_before(run_folder, make_row, tmp_path):
    scores = {"a": [(0.2, 0.45), (0.4, 0.5), (0.3, 0.35)], "b": [(0.1, 0.15), (0.2, 0.3)]}
    rows = [
        make_row(f"{photograph}/{rung}.png", clear, attacked, clip=photograph, rung=float(rung))
        for photograph, rungs in scores.items()
        for rung, (clear, attacked) in enumerate(rungs)
    ]
    run_folder.cell("blur", "ifgsm", rows=rows)
    run_folder.cell("plain", "ifgsm", [0.1, 0.2], datasets=("other",))
    write_site(write_tables([run_folder.path], tmp_path), run_folder.path, tmp_path)
    pages = {name: (tmp_path / "metrics" / f"{name}.html").read_text(encoding="utf-8") for name in ("blur", "plain")}
    assert "Of 4 pairs the metric has 1 in the wrong order before any attack, and 0 in none" in pages["blur"]
    assert '<th scope="row">10/255</th><td>0.667 ±0.500</td>' in pages["blur"]  # a's two, b's none
    assert "What a comparison by it loses" not in pages["plain"]
    assert "overtaken.csv" in (tmp_path / "downloads.html").read_text(encoding="utf-8")
