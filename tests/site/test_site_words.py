"""What the pages say of the numbers: the sentence at the head, the chip beside one, neighbours, excluded images."""

import pytest

from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.read.cells import read_cells
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.doubts import chip
from metric_robustness.pipeline.site.drawing import Panel
from metric_robustness.pipeline.site.excluded import ExcludedImage, excluded_images
from metric_robustness.pipeline.site.headline import headline
from metric_robustness.pipeline.site.neighbours import neighbours
from metric_robustness.pipeline.site.pages import breakable, levels


@pytest.fixture
def section(run_folder, tmp_path):
    """Returns the section of metrics that an attack moves by the given gains."""

    def make(*gains):
        for i, gain in enumerate(gains):
            run_folder.cell(f"m{i}", "ifgsm", [gain, gain])
        (found,) = write_tables([run_folder.path], tmp_path / "tables").sections
        return found

    return make


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ((0.02, 0.55, 0.6), "moves most no-reference metrics by half of their range or more."),
        ((0.02, 0.02, 0.6), "moves most no-reference metrics by less than a twentieth of their range."),
        ((0.12, 0.6), "moves most no-reference metrics by a tenth of their range or more."),  # half is not most
        ((0.6,), ""),
    ],
)
def test_the_sentence_holds_for_more_than_half_of_the_metrics(section, gains, expected):
    assert headline(section(*gains)).endswith(expected)


def test_the_chip_tells_the_gravest_flag_and_its_attacks():
    missing = Flag("rows_missing", "rows missing: a.png (too small)", ("apgd", "apgd:eps=2/255"))
    masked = Flag("masked_gradients", "square raised the score more", ("apgd",))
    assert chip([]) is None
    only_images = chip([missing])
    assert (only_images.about, only_images.doubted) == ("apgd", False)
    both = chip([missing, masked])
    assert (both.title, both.about, both.more, both.doubted) == ("Masked gradients", "apgd", 1, True)
    assert "a.png" in both.tip
    assert chip([Flag("zero_gradients", "", ("a", "b", "c"))]).about == "3 attacks"


def test_at_an_end_of_the_ranking_the_other_side_gives_more_neighbours(section):
    found = section(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    beside = {each.metric: [other.metric for other in neighbours(found, each)] for each in found.standings}
    assert beside["m0"] == ["m0", "m1", "m2", "m3", "m4"]
    assert beside["m3"] == beside["m5"] == ["m1", "m2", "m3", "m4", "m5"]


def test_an_excluded_image_stands_once_with_the_attacks_that_lack_it(run_folder, make_row):
    for attack in ("ifgsm", "fgsm"):
        run_folder.cell("blur", attack, [0.1], asked=2, excluded={"flat.png": "its variance is 0", "a.png": "was kept"})
    run_folder.cell("blur", "madc", rows=[make_row("b.png", 0.5, float("inf"))])
    found = excluded_images(read_cells([run_folder.path]), "sample")
    assert ExcludedImage("flat.png", "its variance is 0", ("fgsm", "ifgsm")) in found
    assert [(each.image, each.attacks) for each in found if each.image == "b.png"] == [("b.png", ("madc",))]
    assert "a.png" not in {each.image for each in found}  # it has a row
    assert excluded_images(read_cells([run_folder.path]), "elsewhere") == []


def test_a_curve_begins_at_nothing_and_stays_in_its_panel(run_folder, tmp_path):
    run_folder.curve("blur", {2: (0.1, 0.1), 10: (2.0, 2.0)})
    (standing,) = write_tables([run_folder.path], tmp_path / "tables").sections[0].standings
    panel = Panel.over([standing.effects.curve])
    assert panel.line(standing.effects.curve) == "0,100 20,93.3 100,0"
    assert panel.area(standing.effects.curve).endswith("100,100 0,100")


def test_names_break_and_budgets_are_words():
    assert breakable("a_b+c") == "a_<wbr>b+<wbr>c"
    assert breakable("<b>_") == "&lt;b&gt;_<wbr>"
    assert (levels(1.0), levels(8 / 255)) == ("no limit", "8/255")
