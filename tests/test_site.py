"""The rendered site in a real browser, as a reader sees it, with no network."""

import contextlib
import functools
import http.server
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect, sync_playwright

from tools import book, browser
from tools.checks import checks_in
from tools.sphinx_pages import OPTIONAL

HTML = Path("_build/html")
SECTIONS = [str(path.with_suffix(".html")) for path in book.notebooks()]
PAGES = [str(path.with_suffix(".html")) for path in book.pages()]
PAGES += [f"{name}.html" for name in sorted(book.GENERATED)]
CHAPTERS = sorted({str(path.parent) for path in book.notebooks()})
TENSORS = "chapters/preliminaries/tensors"


@pytest.fixture(scope="module")
def site():
    """The address of the site, served on this machine."""
    assert (HTML / "index.html").exists(), "the site is not rendered: run `make book`"
    handler = functools.partial(Quiet, directory=str(HTML))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        with contextlib.suppress(ConnectionError):  # the browser went on to the next page
            super().copyfile(source, outputfile)


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=browser.find(), args=options)
        yield launched
        launched.close()


@pytest.fixture
def page(chromium, site):
    """A page on a phone; `asked` lists what it requested, `errors` what its scripts raised."""
    page = chromium.new_page(viewport={"width": 390, "height": 844}, base_url=site)
    page.asked, page.errors = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_on_a_phone_without_network(page, site, name):
    page.goto(name, wait_until="networkidle")
    assert page.errors == []
    strangers = [url for url in page.asked if not url.startswith((site, "data:", "blob:"))]
    assert strangers == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"the page scrolls sideways: {width} px"


@pytest.mark.parametrize("name", SECTIONS)
def test_math_and_figures_are_drawn(page, name):
    page.goto(name, wait_until="networkidle")
    page.wait_for_function("document.querySelectorAll('mjx-container').length > 0")
    assert page.locator("mjx-merror").count() == 0
    raw = page.eval_on_selector_all(
        ".math", "all => all.filter(e => !e.querySelector('mjx-container')).length"
    )
    assert raw == 0, "math without MathJax's drawing"
    beyond = page.eval_on_selector_all(
        "mjx-container:not([display])",
        "all => all.filter(e => !e.closest('table') && e.getBoundingClientRect().right > 390)"
        ".map(e => e.textContent)",
    )
    assert beyond == [], "math within a line that does not fit on a phone: display it"
    figures = page.eval_on_selector_all(
        ".cell_output img", "all => all.map(i => [i.naturalWidth, i.width, i.alt])"
    )
    assert len(figures) >= 2
    for natural, shown, alt in figures:
        assert natural > 0, "a figure that is not drawn"
        assert 0 <= shown <= 390
        assert len(alt) > 20
        assert ".svg" not in alt


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_have_legible_text_and_white_figures(page, theme):
    page.emulate_media(color_scheme=theme)
    page.goto(f"{TENSORS}.html", wait_until="networkidle")
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    text, behind = (
        luminance(page.evaluate(f"getComputedStyle(document.querySelector('{where}')).{what}"))
        for where, what in (("article p", "color"), ("body", "backgroundColor"))
    )
    assert (text > behind) == (theme == "dark")
    assert (max(text, behind) + 0.05) / (min(text, behind) + 0.05) > 7, "WCAG's AAA"
    figure = "getComputedStyle(document.querySelector('.cell_output img'))"
    assert page.evaluate(f"{figure}.filter") == "none"
    if theme == "dark":
        assert page.evaluate(f"{figure}.backgroundColor") == "rgb(255, 255, 255)"


def luminance(color: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG defines it."""
    parts = [float(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_solutions_are_folded_and_open_on_a_click(page):
    page.goto(f"{TENSORS}.html", wait_until="networkidle")
    fold = page.locator("details:has(summary:text-is('Show'))").first
    words = fold.locator("p").first
    assert not words.is_visible()
    fold.locator("summary").click()
    assert words.is_visible()
    code = page.locator("#solution-1 details:has(pre)").first
    assert not code.locator("pre").first.is_visible()
    code.locator("summary").click()
    assert code.locator("pre").first.is_visible()


def test_exercise_links_to_its_solution_and_back(page):
    page.goto(f"{TENSORS}.html", wait_until="networkidle")
    exercises, solution = page.locator("#exercises > h2"), page.locator("#solution-2 > h3")
    page.locator("#exercises").get_by_role("link", name="Solution").nth(1).click()
    expect(solution).to_be_in_viewport()
    expect(exercises).not_to_be_in_viewport()
    page.locator("#solution-2").get_by_role("link", name="Back to the exercises").click()
    expect(exercises).to_be_in_viewport()
    expect(solution).not_to_be_in_viewport()


def test_check_cells_are_lines_that_count_their_checks(page):
    page.goto(f"{TENSORS}.html")
    cells = book.read(Path(f"{TENSORS}.ipynb")).cells
    counts = [checks_in(cell.source) for cell in cells if "check" in book.tags(cell)]
    assert counts
    lines = page.locator(".tag_check summary").all_inner_texts()
    assert lines == [f"✓ {n} check" + "s" * (n != 1) for n in counts]


def test_a_check_line_opens_by_keyboard_and_mouse(page):
    page.goto(f"{TENSORS}.html", wait_until="networkidle")
    fold = page.locator(".tag_check details").first
    line, code = fold.locator("summary"), fold.locator("pre")
    _reach_by_tab(page, line)
    assert style(line, "outlineStyle") == "solid"
    expect(code).not_to_be_visible()
    for key in ("Enter", "Space"):
        page.keyboard.press(key)
        expect(code).to_be_visible(visible=key == "Enter")
    line.click()
    expect(code).to_be_visible()
    assert page.locator("summary[aria-label]").count() == 0, "a label that hides a line's words"


def _reach_by_tab(page, element: Locator) -> None:
    """Focus an element as the keyboard does, which is when a browser draws the ring."""
    element.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(element).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_of_folded_code_are_quiet_and_legible(page, theme):
    page.goto(f"{TENSORS}.html")
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    behind = luminance(style(page.locator("body"), "backgroundColor"))
    for tag in ("check", "hide-input", "hide-cell"):
        fold = page.locator(f".tag_{tag} > details").first
        line = fold.locator("summary")
        for element in (fold, line, line.locator("p").first):
            assert style(element, "backgroundColor") == "rgba(0, 0, 0, 0)"
            assert style(element, "boxShadow") == "none"
            assert style(element, "borderLeftWidth") == "0px"
        text = luminance(style(line, "color"))
        assert (max(text, behind) + 0.05) / (min(text, behind) + 0.05) > 4.5, "WCAG's AA"
        assert 24 <= line.bounding_box()["height"] < 30


def style(element: Locator, what: str) -> str:
    return element.evaluate(f"element => getComputedStyle(element).{what}")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_index_of_a_chapter_marks_its_optional_sections(page, chapter):
    page.goto(f"{chapter}/index.html")
    for name in [f"{path.stem}.html" for path in book.notebooks() if str(path.parent) == chapter]:
        row = page.locator("article tr", has=page.locator(f"a[href='{name}']")).first
        sidebar = page.locator(f".bd-sidebar-primary a[href='{name}']").first
        is_optional = sidebar.text_content().strip().startswith(OPTIONAL)
        assert (OPTIONAL in row.text_content()) == is_optional, name


def test_buttons_lead_to_the_repository_and_to_colab(page):
    page.goto(f"{TENSORS}.html")
    owner = book.address().removeprefix("https://github.com/")
    links = page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)")
    colab = "https://colab.research.google.com/github/"
    notebook = f"blob/main/{TENSORS}.ipynb"
    assert f"{colab}{owner}/{notebook}" in links
    assert book.address() in links
    assert any(link.startswith(f"{book.address()}/issues/new") for link in links)
    assert any(link.endswith("tensors.ipynb") and "_sources" in link for link in links)


def test_sections_are_numbered_and_search_finds_words(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{TENSORS}.html")
    assert page.locator("article h1").inner_text().startswith("1.1. Tensors")
    page.goto("search.html?q=broadcasting")
    page.wait_for_selector("#search-results li a")
    assert "Tensors" in page.locator("#search-results").inner_text()


def test_page_says_what_it_was_executed_with(page):
    page.goto(f"{TENSORS}.html")
    footer = page.locator(".executed-with").inner_text()
    assert footer.startswith("Executed on 20")
    assert "PyTorch 2." in footer
