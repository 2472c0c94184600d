"""No cell gives a blank page or a wrong number: few images, no rows, damaged rows, rows of other settings."""

import math

from page_text import handed, text
from run_folder import restamp


def test_one_image_has_numbers_without_intervals(run_folder, build):
    run_folder.cell("blur", "ifgsm", [0.25])
    page = text(build(run_folder.path) / "metrics" / "blur.html")
    assert "0.250" in page
    assert "±" not in page
    assert "One image tells nothing about others" in page
    assert "nan" not in page


def test_without_any_rows_the_reasons_are_shown(run_folder, build):
    run_folder.without_rows("blur", "ifgsm", "failed", "CUDA is gone")
    run_folder.without_rows("blur", "madc", "skipped", "no gradient")
    site = build(run_folder.path)
    for page in (text(site / "index.html"), text(site / "metrics" / "blur.html")):
        assert "CUDA is gone" in page
        assert "n/a" in page or "there is no number" in page
        assert "Rank 1" not in page
    for name in ("heatmap.html", "plots.html", "attacks.html", "downloads.html", "about.html"):
        assert len(text(site / name)) > 100


def test_cells_that_no_stamp_vouches_for_make_no_section(run_folder, build):
    run_folder.cell("blur", "ifgsm").with_suffix(".json").unlink()
    page = text(build(run_folder.path) / "index.html")
    assert "No cell is on the leaderboard" in page
    assert "no stamp stands beside ifgsm.csv" in page


def test_damaged_and_infinite_rows_are_named_and_never_counted(run_folder, build, make_row):
    rows = [make_row("a.png", 0.5, 0.6), make_row("b.png", 0.5, math.inf), make_row("c.png", math.nan, 0.7)]
    run_folder.cell("blur", "ifgsm", rows=rows)
    run_folder.cell("blur", "madc").write_text("damaged", encoding="utf-8")
    site = build(run_folder.path)
    page = text(site / "metrics" / "blur.html")
    assert "b.png (attacked is inf)" in page
    assert "c.png (clear is nan)" in page
    assert "madc.csv is not what was stamped" in page
    assert "0.100" in page
    assert handed(site / "details" / "metrics" / "blur-1-points.js")["ifgsm"]["images"] == 1


def test_an_infinite_score_is_told_in_words_not_drawn(run_folder, build, make_row):
    run_folder.cell(rows=[make_row("a.png", 0.0, 1.2), make_row("b.png", 0.5, 0.6)])
    assert "-inf" in text(build(run_folder.path) / "metrics" / "blur.html")


def test_runs_with_other_settings_do_not_reach_the_profile(run_folder, build, make_row):
    run_folder.cell("blur", "ifgsm", [0.1, 0.2])
    rows = [make_row("a.png", 0.1, 0.9, variant="steps=20")]
    run_folder.cell("blur", "ifgsm", rows=rows, label="ifgsm+steps=20", overrides={"steps": "20"})
    points = handed(build(run_folder.path) / "details" / "metrics" / "blur-1-points.js")
    assert points["ifgsm"]["images"] == 2


def test_a_metric_that_no_attack_raised_has_no_worst_attack(run_folder, build):
    run_folder.cell("firm", "ifgsm", [-0.1, -0.2])
    run_folder.cell("firm", "noise", [-0.01, 0.0])
    page = (build(run_folder.path) / "metrics" / "firm.html").read_text(encoding="utf-8")
    assert "No attack raised the score of an image." in page
    assert "The worst attack by image" not in page
    assert "<option selected>ifgsm" in page  # the control comes last


def test_a_metric_that_was_only_attacked_to_try_defences_has_a_page_that_says_so(run_folder, build, make_row):
    scores = {"clear_defended": 0.4, "attacked_defended": 0.5, "psnr_defended": 40.0, "ssim_defended": 0.9}
    rows = [make_row(name, 0.4, 0.7, defence="jpeg", **scores) for name in ("a.png", "b.png")]
    path = run_folder.cell("blur", "ifgsm", rows=rows, label="ifgsm+defended", asked=2)
    restamp(path, lambda told: told["settings"].update(defences=["jpeg"]))
    page = (build(run_folder.path) / "metrics" / "blur.html").read_text(encoding="utf-8")
    assert "No cell of this metric is on the leaderboard. What its defences do stands" in " ".join(page.split())
    assert 'href="../defences.html"' in page
    assert "<ul></ul>" not in page
