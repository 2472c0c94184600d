"""The page of transfer."""

from page_text import text
from run_folder import restamp


def test_transfer_has_a_page_only_where_metrics_scored_the_images_of_others(run_folder, build):
    own = {"blur": [0.3, 0.5], "edge": [0.2, 0.2]}
    for metric, gains in own.items():
        run_folder.cell(metric, "ifgsm", gains)
    assert not (build(run_folder.path) / "transfer.html").exists()
    for metric, source, gains in (("edge", "blur", [0.1, 0.0]), ("blur", "blur", own["blur"])):
        path = run_folder.cell(metric, "ifgsm", gains, label=f"ifgsm@{source}")
        restamp(path, lambda told, source=source: told["attack"].update(name=f"ifgsm@{source}", family="saved"))
    site = build(run_folder.path)
    page = text(site / "transfer.html")
    assert "ifgsm on sample" in page
    assert "made on blur edge blur 0.40 0.05 edge n/a 0.20" in page
    assert "Transfer" in text(site / "index.html")
    assert (site / "transfer.csv").is_file()
