"""The page of defences."""

from page_text import text


def test_defences_have_a_page_only_where_rows_tell_of_them(run_folder, build, make_row):
    clear, attacked = {"a.png": 0.2, "b.png": 0.4}, {"a.png": 0.6, "b.png": 0.8}
    defended = {"jpeg": {"a.png": (0.1, 0.3), "b.png": (0.3, 0.5)}, "flip": {"a.png": (0.3, 0.9), "b.png": (0.2, 0.7)}}
    run_folder.cell(rows=[make_row(name, clear[name], attacked[name]) for name in clear])
    assert not (build(run_folder.path) / "defences.html").exists()
    rows = [
        make_row(
            name,
            clear[name],
            attacked[name],
            defence=defence,
            clear_defended=before,
            attacked_defended=after,
            psnr_defended=40.0,
            ssim_defended=0.9,
        )
        for defence, scores in defended.items()
        for name, (before, after) in scores.items()
    ]
    run_folder.cell(rows=rows, label="ifgsm+defended", asked=2)
    site = build(run_folder.path)
    page = text(site / "defences.html")
    assert "defence ifgsm none 0.400 jpeg 0.100 flip 0.500" in page  # mean |f(x) - f(D(x'))|
    assert "None was run" in page  # no attack that knows the defence
    assert "jpeg 0.700" in page  # (0.9 + 40 / 80) / 2
    assert "jpeg 0.100 n/a n/a" in page  # mean |f(x) - f(D(x))|; too few images to correlate; no time
    assert (site / "defences.csv").is_file()
    assert "Defences" in text(site / "index.html")


def test_attacks_that_know_a_defence_stand_beside_those_that_do_not_in_the_same_order(run_folder, build, make_row):
    clear = {"a.png": 0.2, "b.png": 0.4}
    for attack, gain in {"ifgsm": 0.4, "fgsm": 0.2}.items():
        rows = [
            make_row(
                name,
                score,
                score + gain,
                defence=defence,
                clear_defended=score,
                attacked_defended=score + left,
                psnr_defended=40.0,
                ssim_defended=0.9,
            )
            for defence, left in {"jpeg": 0.1, "flip": 0.15}.items()
            for name, score in clear.items()
        ]
        run_folder.cell("blur", attack, rows=rows, label=f"{attack}+defended", asked=2)
    for defence, left in {"jpeg": 0.3, "flip": 0.2}.items():
        rows = [
            make_row(name, score, score + left, psnr_defended=40.0, ssim_defended=0.9) for name, score in clear.items()
        ]
        run_folder.cell(f"blur+{defence}", "ifgsm", rows=rows)
    page = text(build(run_folder.path) / "defences.html")
    unaware, aware = page.split("Attacks that know the defence")
    assert "defence fgsm ifgsm none 0.200 0.400 flip 0.150 0.150 jpeg 0.100 0.100" in unaware
    assert "defence ifgsm none 0.400 flip 0.200 jpeg 0.300" in aware  # fgsm did not attack the defended metrics
    assert "jpeg only works on attacks that do not know it: ifgsm took back" in aware
    assert "flip only works" not in aware
