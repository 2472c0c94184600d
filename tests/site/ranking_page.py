"""The page of the ranking as a reader uses it: its boards, and the questions above them."""


def board(page, index=0):
    return page.locator("section.board").nth(index)


def boards(page):
    """Returns the boards that are shown."""
    return page.locator("section.board:not([hidden])")


def metrics_of(place):
    """Returns the metrics that a board shows, or several, from top to bottom."""
    return place.locator("table.ranking tbody tr th a")


def headings(place):
    """Returns the headings of the columns that a board shows."""
    return place.locator("thead th:visible .dt-column-title").all_inner_texts()


def answer(page, question, value):
    """Chooses one of the answers that are all seen at once."""
    page.locator(f"#controls input[name={question}][value='{value}']").check()


def unfold(page):
    """Opens the filters that lie folded away."""
    page.locator("#controls summary").click()


def state(page):
    """Returns what the address keeps of the reader's answers."""
    return page.evaluate("location.hash.slice(1)")
