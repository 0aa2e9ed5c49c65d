"""Accepting outputs: what is written into a notebook, and what is not."""

import nbformat


def committed(book, name: str):
    return nbformat.read(book.folder / f"chapters/some/{name}.ipynb", as_version=4)


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
