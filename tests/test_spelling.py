"""Words that America spells otherwise, and misprints, are named with their places."""

import pytest
from made_section import code, made, say

from tools import book, first_form, spelling

WRONG = ["colour", "centre", "normalised", "teh", "Grey"]  # codespell:ignore
RIGHT = ["color", "center", "normalized", "the", "Gray"]


def describe(word):
    return lambda section: section.cells[6].metadata.mystnb.image.update(alt=f"{word}.")


PLANTS = {
    "cell 5, line 2": lambda word: say(f"One\nmulti-{word}."),
    "cell 5, line 1": lambda word: code(f"1  # the {word}"),
    "cell 6, line 1": lambda word: code(f"'x {word}'", place=5),
    "cell 8, line 1": lambda word: code(f"the_{word}_of_x = 1", place=7),
    "cell 7, alt text": describe,
}


@pytest.mark.parametrize(("place", "word", "better"), list(zip(PLANTS, WRONG, RIGHT, strict=True)))
def test_a_misspelt_word_is_named(place, word, better):
    section = made()
    PLANTS[place](word)(section)
    found = spelling.faults({"a": section, "b": made()})
    assert found == {"a": [f"{place}: write {better!r} for {word!r}"], "b": []}


def test_titles_of_works_stay_as_they_are():
    section = made()
    say(f"[A {WRONG[0]}](https://example.org/{WRONG[1]})")(section)
    assert spelling.faults({"a": section}) == {"a": []}


def test_the_book_is_spelt_as_in_america():
    new = {path: book.read(path) for path in book.notebooks() if path not in first_form.listed()}
    assert spelling.faults(new) == {path: [] for path in new}


def test_a_failure_of_codespell_is_an_error(monkeypatch):
    monkeypatch.setattr(spelling, "CODESPELL", [*spelling.CODESPELL, "--no-such-option"])
    with pytest.raises(book.BookError, match="codespell failed"):
        spelling.faults({"a": made()})
