"""A real browser, and sites made of cells that the engine could have written."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

import pytest
from needed import absent
from page_text import HOSTILE
from PIL import Image
from playwright.sync_api import sync_playwright
from run_folder import restamp

from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.build import write_site

NAMES = ("chromium", "chromium-browser", "google-chrome")
OFFLINE = ["--disable-background-networking", "--disable-component-update", "--disable-quic", "--disable-sync"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def chromium():
    """Returns a browser that talks to nobody; tests/tools.sh installs it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        absent(f"the pages need a browser, {' or '.join(NAMES)}: run make test as root, or install one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--no-first-run", *OFFLINE]
        )
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium):
    """Opens pages by address; fails where one complains or asks another host for anything."""
    complaints, contexts, hosts = [], [], {""}

    def look(page):
        page.on("console", lambda told: complaints.append(told.text) if told.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.on(
            "request",
            lambda request: None if urlparse(request.url).netloc in hosts else complaints.append(request.url),
        )

    def start(place, state="", **options):
        address = place if isinstance(place, str) else place.resolve().as_uri()
        hosts.add(urlparse(address).netloc)
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        look(page)
        page.goto(f"{address}{state}")
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def serve():
    """Serves a folder as GitLab Pages would; returns its address."""
    servers = []

    def start(folder):
        handler = partial(Quiet, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def build(tmp_path):
    """Makes the site of a run folder, as `report` does, and returns its root."""

    def make(folder, name="site"):
        out = tmp_path / name
        write_site(write_tables([folder], out), folder, out)
        return out

    return make


@pytest.fixture
def black_box():
    """Turns the attack of a written cell into one that asks for scores only."""

    def change(path):
        restamp(path, lambda told: told["attack"].update(access="black"))

    return change


@pytest.fixture
def rich(run_folder, make_row):
    """Writes a run that fills every part of the pages: curves, falls, flags, pictures, defences, excluded images."""
    within = {2: (0.1, 0.2), 10: (0.3, 0.4)}
    for metric, by in {"weak": 2, "strong": 1, "middling": 1.5}.items():
        gains = {budget: [by * gain for gain in both] for budget, both in within.items()}
        run_folder.curve(metric, gains, asked=3, excluded={"broken.png": "not an image"})
        run_folder.cell(metric, "noise", [0.01, 0.0])
        run_folder.cell(metric, "fgsm", [-0.1 * by, -0.2], settings={"goal": "worse", "eps": 1.0})
        run_folder.spared(metric, "square", access="black")
    run_folder.cell("likeness", "ifgsm", [0.3, 0.2], kind="FR")
    run_folder.without_rows("weak", "madc", "failed", "out of memory")
    for folder, colour in (("_clear/original", "teal"), ("none/default/ifgsm/weak/default", "navy")):
        for name in ("a.png", "b.png"):
            file = run_folder.path / "images" / folder / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (60, 40), colour).save(file)
    scores = {"clear_defended": 0.4, "attacked_defended": 0.5, "psnr_defended": 40.0, "ssim_defended": 0.9}
    for metric in ("weak", "strong"):
        rows = [make_row(name, 0.4, 0.7, defence="jpeg", **scores) for name in ("a.png", "b.png")]
        run_folder.cell(metric, "ifgsm", rows=rows, label="ifgsm+defended", asked=2)
    return run_folder


@pytest.fixture
def varied(run_folder, make_row, black_box):
    """Returns a run with NR and FR metrics, a defended one, two data sets, a black-box attack and a hostile name."""
    for metric, by in {"calm": 0.1, "calm+jpeg": 0.05, "wild": 0.4, HOSTILE: 0.2}.items():
        run_folder.cell(metric, "ifgsm", [by, by + 0.05, by - 0.02], seconds={"": 6.0})
        black_box(run_folder.cell(metric, "madc", [by / 2, by / 2 + 0.01, by / 3]))
        run_folder.cell(metric, "noise", [0.01, -0.01, 0.0])
    run_folder.cell("likeness", "ifgsm", [0.3, 0.2, 0.1], kind="FR")
    reason = f"CUDA {HOSTILE} out of memory"
    stamp = run_folder.stamp("likeness", "madc", asked=3, kind="FR", status="failed", reason=reason)
    (run_folder.path / "likeness" / "madc.json").write_text(stamp.to_json(), encoding="utf-8")
    for folder in ("_clear/original", "none/default/ifgsm/calm/default"):
        file = run_folder.path / "images" / folder / "a.png.png"
        file.parent.mkdir(parents=True)
        Image.new("RGB", (384, 200), "teal").save(file)
    rows = [make_row(f"{i}.png", 0.5, 0.5 + 0.1 * i, dataset="other") for i in range(3)]
    run_folder.cell("elsewhere", "ifgsm", rows=rows, datasets=("other",))
    return run_folder


@pytest.fixture
def site(varied, build):
    """Returns the site of that run; a file of tests may put another in its place."""
    return build(varied.path)
