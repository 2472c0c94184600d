"""Views of one thing at a time: the defences of a metric, an attack's images, the clear beside the attacked image."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def site(rich, build):
    return build(rich.path)


def test_the_address_says_whose_defences_are_shown(site, browse):
    page = browse(site / "defences.html", "#of=weak+on+sample")
    heading = page.locator("section.defended:not([hidden]) h2")
    expect(heading).to_have_text(["weak on sample"])
    page.get_by_label("Metric").select_option("strong on sample")
    expect(heading).to_have_text(["strong on sample"])
    expect(page).to_have_url(re.compile("#of=strong"))
    page.goto((site / "defences.html").as_uri() + "#of=nobody")
    expect(heading).to_have_count(1)


def test_a_metrics_page_opens_at_an_attack_and_slides_between_clear_and_attacked(site, browse):
    page = browse(site / "metrics" / "weak.html", "#attack=noise")
    expect(page.locator(".profile select")).to_have_value("noise")
    slider = page.get_by_role("slider", name="From the clear to the attacked image")
    slider.focus()
    page.keyboard.press("Home")
    attacked = page.locator(".compare figure").last.locator("img")
    assert "0%" in attacked.evaluate("image => getComputedStyle(image).clipPath")
    page.keyboard.press("End")
    assert "100%" in attacked.evaluate("image => getComputedStyle(image).clipPath")


def test_excluded_images_and_doubts_stand_on_the_metrics_page(site, browse):
    page = browse(site / "metrics" / "weak.html")
    row = page.get_by_role("region", name="Excluded images and their reasons").locator("tbody tr")
    assert row.locator("th, td").all_inner_texts() == ["broken.png", "ifgsm", "not an image"]
    page.goto((site / "index.html").as_uri())
    page.locator("tr", has_text="weak").first.locator("a.badge").click()
    expect(page).to_have_url(re.compile(r"metrics/weak\.html#doubts"))
    expect(page.locator("#doubts")).to_be_visible()  # once the page is there
