"""Which browser the tests of the site take, and what is said where there is none."""

import pytest

from tools import book, browser


def program(folder, name: str, version: str):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch, tmp_path):
    """Nothing on the path, nothing of Playwright's, nothing to be installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(browser, "MAC", tmp_path / "none")
    monkeypatch.setattr(browser, "_playwrights", lambda: None)
    monkeypatch.setattr(browser, "_install", lambda: None)


def test_the_readers_choice_comes_first(monkeypatch, tmp_path):
    program(tmp_path, "chromium", "Chromium 156")
    mine = program(tmp_path, "mine", "Google Chrome 157")
    monkeypatch.setenv("BROWSER", mine)
    assert browser.find() == mine


def test_a_choice_that_is_no_chromium_is_passed_over(monkeypatch, tmp_path):
    systems = program(tmp_path, "chromium", "Chromium 156")
    monkeypatch.setenv("BROWSER", program(tmp_path, "other", "Mozilla Firefox 150"))
    assert browser.find() == systems


def test_playwrights_own_is_the_last_resort(monkeypatch):
    monkeypatch.setattr(browser, "_playwrights", lambda: "/its/own")
    assert browser.find() == "/its/own"


def test_none_is_an_error_that_names_three_ways():
    with pytest.raises(book.BookError) as error:
        browser.main()
    for way in ("apt-get install chromium", "playwright install chromium", "BROWSER="):
        assert way in str(error.value)
