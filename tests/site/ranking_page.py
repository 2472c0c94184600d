"""The page of the ranking as a reader uses it: its boards, and the questions above them."""

from playwright.sync_api import expect


def board(page, index=0):
    return page.locator("section.board").nth(index)


def boards(page):
    """Returns the boards that are shown."""
    return page.locator("section.board:not([hidden])")


def metrics_of(place):
    """Returns the metrics that a board shows, or several, from top to bottom."""
    return place.locator("table.ranking tbody tr th a")


def headings(place):
    """Returns the headings of the columns that a board shows, once those that were asked for are there."""
    settled(place.page)
    return place.locator("thead th:visible .dt-column-title").all_inner_texts()


def settled(page):
    """Waits until the page has what it asked for."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def answer(page, question, value):
    """Chooses one of the answers that are all seen at once."""
    page.locator(f"#controls input[name={question}][value='{value}']").check()
    settled(page)


def unfold(page):
    """Opens the filters that lie folded away."""
    page.locator("#controls summary").click()


def state(page):
    """Returns what the address keeps of the reader's answers."""
    return page.evaluate("location.hash.slice(1)")
