"""A notebook in the real JupyterLab, in a browser: links to its headings, and what is folded."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from playwright.sync_api import Locator, expect, sync_playwright

from tools import book, browser

NOTEBOOK = Path("chapters/preliminaries/tensors.ipynb")
OTHER, LINK = "other.ipynb", ".jp-RenderedMarkdown a"
FOLDERS = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
FOLDERS += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
PATIENCE = 90_000  # milliseconds, on a machine with much else to do


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a JupyterLab without any settings of the user, on two notebooks."""
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    _fill(root, home)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.port=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={root}"]
    environment = os.environ | {name: str(home / name) for name in FOLDERS}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield _address(server, home / "log")
    finally:
        server.terminate()
        server.wait(30)


def _fill(root: Path, home: Path) -> None:
    """The notebook, another one with the same headings, and a JupyterLab that asks no question."""
    shutil.copy(NOTEBOOK, root)
    cell = v4.new_markdown_cell("# Other\n\n## Exercises\n\n### Solution 2")
    other = v4.new_notebook(cells=[cell], metadata=book.read(NOTEBOOK).metadata)
    nbformat.write(other, root / OTHER)
    settings = home / FOLDERS[-2] / "@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))


def _address(server: subprocess.Popen, log: Path) -> str:
    until = time.monotonic() + PATIENCE / 1000
    while server.poll() is None and time.monotonic() < until:
        if found := re.search(r"http://127\.0\.0\.1:\d+/lab", log.read_text()):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab does not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def notebook(address):
    """The notebook in JupyterLab, with all its cells; the other was opened before it."""
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=browser.find(), args=options)
        page = launched.new_page()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto(f"{address}/tree/{OTHER}")
        expect(page.locator("h3", has_text="Solution 2")).to_be_visible()
        page.locator(".jp-DirListing-item", has_text=NOTEBOOK.name).dblclick()
        shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(shown.locator(".jp-Cell")).to_have_count(len(book.read(NOTEBOOK).cells))
        expect(shown.locator("h3", has_text="Solution 2")).to_be_attached()
        yield shown
        launched.close()


def test_exercise_links_to_its_solution_and_back_beside_another_notebook(notebook):
    solution = notebook.locator("h3", has_text="Solution 2")
    _follow(notebook.locator(LINK, has_text=re.compile("^Solution$")).nth(1), solution)
    back = notebook.locator(LINK, has_text="Back to the exercises").nth(1)
    _follow(back, notebook.locator("h2", has_text="Exercises"))


def _follow(link: Locator, heading: Locator) -> None:
    """Click; the heading was seen before, since JupyterLab guesses the heights of unseen cells."""
    heading.scroll_into_view_if_needed()
    link.scroll_into_view_if_needed()
    expect(heading).not_to_be_in_viewport()
    link.click()
    expect(heading).to_be_in_viewport(timeout=PATIENCE / 6)


def test_checks_and_other_hidden_code_are_folded(notebook):
    cells = book.code_cells(book.read(NOTEBOOK))
    hidden = [bool({"check", "hide-cell", "hide-input"} & set(book.tags(cell))) for cell in cells]
    assert any("check" in book.tags(cell) for cell in cells)
    folded = notebook.locator(".jp-CodeCell").evaluate_all(
        "cells => cells.map(cell => cell.querySelector('.jp-InputPlaceholder') !== null)"
    )
    assert folded == hidden
