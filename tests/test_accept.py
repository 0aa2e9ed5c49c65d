"""Accepting outputs: what is written into a notebook, and what is not."""

import shutil
import subprocess

import nbformat
import pytest
from nbformat import NotebookNode, v4

from tools.accept import words

IGNORED = 4  # the cell of the fixture's `numbers` that prints the time


def committed(book, name: str):
    return nbformat.read(book.folder / f"chapters/some/{name}.ipynb", as_version=4)


def commit(book) -> None:
    """The book as it stands becomes the last commit of a repository of its own."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    names = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    for step in (["init", "-q"], ["add", "."], [*names, "commit", "-q", "-m", "The book"]):
        subprocess.run(["git", *step], cwd=book.folder, check=True)


def test_outputs_come_without_metadata_of_the_run(executed_book):
    notebook = committed(executed_book, "numbers")
    assert notebook.cells[1].outputs[0].text == "loss 0.5 after 7 steps\n"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "mystnb", "jupyter"}


def test_accepting_again_changes_nothing(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    before = (tmp_path / "chapters/some/numbers.ipynb").read_bytes()
    for path in (tmp_path / "_build/executed").rglob("*.ipynb"):
        path.unlink()  # a second execution prints another time in the cell that is ignored
    assert book.run("tools.execute").returncode == 0
    assert book.run("tools.accept").stdout == "every output is as committed\n"
    assert (tmp_path / "chapters/some/numbers.ipynb").read_bytes() == before


def page(value: str) -> NotebookNode:
    return v4.new_output("display_data", {"text/html": value, "text/plain": "<Styler>"})


def says(words: str) -> NotebookNode:
    return v4.new_output("stream", name="stdout", text=words)


def figure(data: str) -> NotebookNode:
    return v4.new_output("display_data", {"image/svg+xml": data, "text/plain": "<Figure>"})


TOOK, TAKES = says("took 1.23 s\n"), says("took 12.3 s\n")
SAME = {  # as committed, and what a second run may show
    "time": (TOOK, TAKES),
    "wider column": (says("a  9.5\nb 10.5\n"), says("a   9.5\nb 110.5\n")),
    "unit": (
        says("1.23 ms ± 34.5 µs per loop (mean ± std. dev. of 7 runs, 1,000 loops each)"),
        says("987 µs ± 1.2 ms per loop (mean ± std. dev. of 7 runs, 1 loop each)"),
    ),
    "id": (
        page('<i id="T_1a2b3_row0_col1">0.5</i>#T_1a2b3'),
        page('<i id="T_ffeed_row0_col1">0.5</i>#T_ffeed'),
    ),
    "address": (says("<Thing object at 0x7f3a1c>"), says("<Thing object at 0xdeadbeef>")),
    "uuid": (
        says("run 1b4e28ba-2fa1-11d2-883f-0016d3cca427"),
        says("run deadbeef-feed-4ace-bead-facadecafe00"),
    ),
    "file": (says("wrote /tmp/tmpab12cd34/x"), says("wrote /tmp/tmpabcdwxyz/x")),
    "date": (says("Mon Jan  5 12:30:01 2026"), says("Tue Oct 13 08:10:59 2026")),
    "figure": (figure("<svg>1 2</svg>"), figure("<svg>1 2 3</svg>")),
}
OTHER = {  # as committed, and what is not that
    "words": (says("axis 1 must match"), says("axes 1 must match")),
    "more numbers": (says("[1.5, 2.5]"), says("[1.5, 2.5, 3.5]")),
    "stream": (says("1"), v4.new_output("stream", name="stderr", text="1")),
    "type": (figure("<svg/>"), v4.new_output("display_data", {"image/png": "<svg/>"})),
    "result": (
        v4.new_output("display_data", {"text/plain": "1"}),
        v4.new_output("execute_result", {"text/plain": "1"}),
    ),
    "count": (
        v4.new_output("execute_result", {"text/plain": "1"}, execution_count=4),
        v4.new_output("execute_result", {"text/plain": "1"}, execution_count=5),
    ),
    "error": (v4.new_output("error", ename="E", evalue="1", traceback=[]), says("1")),
}


@pytest.mark.parametrize("case", SAME)
def test_words_of_a_second_run(case):
    first, second = (v4.new_code_cell(outputs=[output]) for output in SAME[case])
    assert words(first) == words(second)


@pytest.mark.parametrize("case", OTHER)
def test_words_of_something_else(case):
    first, second = (v4.new_code_cell(outputs=[output]) for output in OTHER[case])
    assert words(first) != words(second)
    assert words(first) != words(v4.new_code_cell())


def accepted(book, old: list[NotebookNode], new: list[NotebookNode]) -> list[NotebookNode]:
    """What the ignored cell holds after accepting, if it held `old` and a run gave `new`."""
    book.change("numbers", lambda cells: cells[IGNORED].update(outputs=old))
    book.change("numbers", lambda cells: cells[IGNORED].update(outputs=new), executed=True)
    done = book.run("tools.accept")
    assert done.returncode == 0, done.stdout
    return committed(book, "numbers").cells[IGNORED].outputs


@pytest.mark.parametrize(
    ("old", "kept"), [([TOOK], True), ([], False), ([says("no time\n")], False)]
)
def test_ignored_output_stays_if_it_says_the_same(executed_book, tmp_path, old, kept):
    assert accepted(executed_book.copy(tmp_path), old, [TAKES]) == (old if kept else [TAKES])


@pytest.mark.parametrize(
    ("edited", "kept"), [([], True), ([5, 6], True), ([4], False), ([1], False), (None, False)]
)
def test_ignored_output_of_edited_code_is_new(executed_book, tmp_path, edited, kept):
    """The last commit has other code in some cells, or lacks the notebook."""
    book, path = executed_book.copy(tmp_path), tmp_path / "chapters/some/numbers.ipynb"
    now = path.read_text()
    for number in edited or []:
        book.change("numbers", lambda cells, n=number: cells[n].update(source="other"))
    if edited is None:
        path.unlink()
    commit(book)
    path.write_text(now)
    assert accepted(book, [TOOK], [TAKES]) == [TOOK if kept else TAKES]


def test_ignored_output_stays_if_tidying_rewrites_the_setup_cell(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    book.change("numbers", lambda cells: cells[1].metadata.update(tags=["setup"]))
    commit(book)
    assert accepted(book, [TOOK], [TAKES]) == [TOOK]
    assert committed(book, "numbers").cells[1].source.startswith("# Where d2lib is missing")


def test_show_prints_the_difference_and_writes_nothing(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    book.change("words", lambda cells: cells[1].outputs[0].update(text="other\n"))
    before = (tmp_path / "chapters/some/words.ipynb").read_bytes()
    shown = book.run("tools.accept", "--show").stdout
    assert "other" in shown
    assert "one" in shown
    assert (tmp_path / "chapters/some/words.ipynb").read_bytes() == before
    assert "accepted the outputs of chapters/some/words.ipynb" in book.run("tools.accept").stdout
    assert committed(book, "words").cells[1].outputs[0].text == "one\n"


def test_what_has_not_run_cannot_be_accepted(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    book.change("words", lambda cells: cells[1].update(source="print('changed')"))
    done = book.run("tools.accept")
    assert done.returncode == 1
    assert "words.ipynb is stale" in done.stdout
