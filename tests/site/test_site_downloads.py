"""Downloads in a browser, from a server and from files."""

import csv
import json
import zipfile


def test_downloads_hold_the_tables_and_every_row(site, browse, serve, varied, tmp_path):
    address = f"{serve(site)}/downloads.html"
    names = browse(address).locator("a[download]").all_inner_texts()
    assert {"leaderboard.csv", "leaderboard.json", "scores.csv", "rows.zip", "citation.bib"} <= set(names)
    for name in names:
        page = browse(address)  # the browser allows a page ten downloads
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name, exact=True).click()
        waiting.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes() == (site / name).read_bytes()
    json.loads((tmp_path / "leaderboard.json").read_text(encoding="utf-8"))
    with zipfile.ZipFile(tmp_path / "rows.zip") as archive:
        rows = list(csv.DictReader(archive.read("wild/ifgsm.csv").decode().splitlines()))
        assert len(rows) == 3
        there = {file.relative_to(varied.path).as_posix() for file in varied.path.glob("[!.]*/*") if file.is_file()}
        assert set(archive.namelist()) == there


def test_from_files_a_download_is_kept_or_shown_as_it_is(site, chromium):
    start = (site / "downloads.html").as_uri()
    kept = []
    with chromium.new_context() as context:  # not `browse`: the browser reports a download as a failed page
        page = context.new_page()
        page.on("download", lambda file: kept.append(file.suggested_filename))
        page.goto(start)
        for name in page.locator("a[download]").all_inner_texts():
            page.get_by_role("link", name=name, exact=True).click()
            while name not in kept and page.url == start:
                page.wait_for_timeout(10)
            if name not in kept:
                shown = page.evaluate("document.body.innerText").split()
                assert shown == (site / name).read_text(encoding="utf-8").split()
                page.goto(start)
    assert {"leaderboard.csv", "scores.csv", "rows.zip"} <= set(kept)
