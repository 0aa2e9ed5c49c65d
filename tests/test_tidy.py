"""The form of a notebook: what a file may hold, and what `make tidy` makes of it."""

import json
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tools import book as tools_book
from tools import tidy
from tools.book import BookError

CELLS = [v4.new_markdown_cell("# T", id="title"), v4.new_code_cell("1", id="one")]
WHOLE = json.loads(nbformat.writes(v4.new_notebook(cells=CELLS)))


def change(**values):
    return lambda notebook: notebook.update(values)


def change_cell(**values):
    return lambda notebook: notebook["cells"][1].update(values)


def drop_in_cell(name):
    return lambda notebook: notebook["cells"][1].pop(name)


def show(data):
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    return change_cell(outputs=[output])


MALFORMED = {
    "cells 1 and 2 have the same id 'title': run `make tidy`": change_cell(id="title"),
    "cell 2: 'id' is a required property: run `make tidy`": drop_in_cell("id"),
    "cell 2, id: 'a b' does not match": change_cell(id="a b"),
    "cell 2, id: '' does not match": change_cell(id=""),
    "is too long: run `make tidy`": change_cell(id="i" * 65),
    "cell 2, id: None is not of type 'string': run `make tidy`": change_cell(id=None),
    "its format is 4.4, not 4.5: run `make tidy`": change(nbformat_minor=4),
    "its format is 3.0, not 4.5: save it anew": change(nbformat=3, nbformat_minor=0),
    "'cells' is a required property": lambda notebook: notebook.pop("cells"),
    "cells: {} is not of type 'array'": change(cells={}),
    "cell 1: 'x' is not of type 'object'": change(cells=["x"]),
    "cell 2: 'source' is a required property": drop_in_cell("source"),
    "cell 2: 'outputs' is a required property": drop_in_cell("outputs"),
    "cell 2, metadata, tags: 'setup' is not of type 'array'": change_cell(
        metadata={"tags": "setup"}
    ),
    "cell 2: {'cell_type': 'heading'": change_cell(cell_type="heading"),
    "cell 2, outputs, 0, data, x/y: {'a': 1} is not valid": show({"x/y": {"a": 1}}),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_file_is_read_as_it_is_and_its_fault_named(tmp_path, fault):
    notebook, path = deepcopy(WHOLE), tmp_path / "n.ipynb"
    MALFORMED[fault](notebook)
    path.write_text(json.dumps(notebook))
    with pytest.raises(BookError) as caught:
        tools_book.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not a valid notebook: ")
    assert fault in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 200


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Expecting value"),
        ("null", "it holds no cells"),
        ('{"cells": [], "cells": []}', "'cells' stands twice in one place"),
        ("<<<<<<< HEAD\n{}\n", "Expecting value"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_file_that_is_no_notebook_is_one_message(tmp_path, text, fault):
    path = tmp_path / "n.ipynb"
    path.write_text(text)
    with pytest.raises(BookError, match=fault):
        tools_book.read(path)


def test_what_is_valid_is_read_as_nbformat_reads_it(tmp_path):
    notebook, path = deepcopy(WHOLE), tmp_path / "n.ipynb"
    show({"x/y": "a", "application/json": {"a": 1}})(notebook)
    notebook["cells"][1]["source"] = ["a = 1\n", "a"]
    path.write_text(json.dumps(notebook))
    assert tools_book.read(path) == nbformat.read(path, as_version=4)
    assert tools_book.read(path).cells[1].source == "a = 1\na"


COMPARE = "pytest -q -p tools.compare --executed -p no:cacheprovider chapters"


@pytest.mark.parametrize(
    "tool", ["tools.execute", "tools.accept", "tools.render", "tools.rules", COMPARE]
)
def test_every_tool_names_the_notebook_and_its_fault(book, tool):
    book.make(one=["1", "2"])
    path = book.folder / "chapters/some/one.ipynb"
    path.write_text(path.read_text().replace("cell-1", "cell-0"))
    if tool == COMPARE:
        book.put("_build/executed/chapters/some/one.ipynb", path.read_text())
    done = book.run(*tool.split())
    assert done.returncode != 0
    fault = "chapters/some/one.ipynb is not a valid notebook: cells 2 and 3 have the same id"
    assert f"{fault} 'cell-0': run `make tidy`" in done.stdout
    assert "Traceback" not in done.stdout


def test_tidy_gives_each_cell_an_id_of_its_own_and_keeps_the_others(book):
    book.make(one=["1", "2", "3", "4"])
    path = book.folder / "chapters/some/one.ipynb"
    notebook = json.loads(path.read_text())
    wrong = {1: "cell-0", 2: "cell-0", 3: "a b"}
    for number, name in wrong.items():
        notebook["cells"][number]["id"] = name
    del notebook["cells"][4]["id"]
    notebook["nbformat_minor"] = 4
    path.write_text(json.dumps(notebook))
    done = book.run("tools.tidy")
    assert done.stdout == "tidied chapters/some/one.ipynb\n"
    ids = [cell.id for cell in tools_book.read(path).cells]
    assert len(set(ids)) == 5
    assert ids[:2] == [notebook["cells"][0]["id"], "cell-0"]
    assert book.run("tools.tidy").stdout == ""


def test_tidy_names_what_it_cannot_repair(book):
    book.make(one=["1"])
    book.put("chapters/some/one.ipynb", json.dumps(WHOLE | {"cells": ["x", None]}))
    done = book.run("tools.tidy")
    assert done.returncode == 1
    assert done.stdout == (
        "error: chapters/some/one.ipynb is not a valid notebook: "
        "cell 1: 'x' is not of type 'object'\n"
    )


def tidied(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    notebook = tidy.tidy(v4.new_notebook(cells=[cell]))
    again = tidy.tidy(deepcopy(notebook))
    assert again == notebook
    return notebook.cells[0]


def test_sources_have_one_kind_of_line_end_and_nothing_invisible():
    code = "a = 1\r\nb = '\u2028'\rc\ufeff\n\td"
    assert tidied(v4.new_code_cell(code)).source == "a = 1\nb = '\u2028'\nc\n\td"
    prose = "\ufeff# T\r\n\r\n-\tx\u2028y\x85z\n\t- w\ufeff"
    assert tidied(v4.new_markdown_cell(prose)).source == "# T\n\n-   x\ny\nz\n    - w"


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_another_line_end_is_tidied_in_the_file(book, ending):
    book.make(one=["x = 1\nx"])
    path = book.folder / "chapters/some/one.ipynb"
    assert book.run("tools.tidy").returncode == 0
    right = path.read_bytes()
    book.change("one", lambda cells: cells[1].update(source=f"x = 1{ending}x"))
    assert path.read_bytes() != right
    assert "tidied" in book.run("tools.tidy", "chapters/some/one.ipynb").stdout
    assert path.read_bytes() == right
    path.write_bytes(right.replace(b"\n", b"\r\n"))
    assert "tidied" in book.run("tools.tidy").stdout
    assert path.read_bytes() == right


@pytest.mark.parametrize(
    ("tags", "is_folded"),
    [(["check"], True), (["hide-input"], True), (["hide-cell"], True), (["d2lib"], False)],
)
def test_what_the_site_folds_jupyterlab_folds_too(tags, is_folded):
    cell = tidied(v4.new_code_cell("1", metadata={"tags": tags, "jupyter": {"x": 1}}))
    folded = {"jupyter": {"source_hidden": True}} if is_folded else {}
    assert cell.metadata == {"tags": tags} | folded


def test_of_an_outputs_metadata_what_is_shown_stays():
    metadata = {"image/png": {"width": 300}, "needs_background": "light"}
    picture = v4.new_output("display_data", data={"image/png": "x"}, metadata=metadata)
    [output] = tidied(v4.new_code_cell("1", outputs=[picture])).outputs
    assert output.metadata == {"image/png": {"width": 300}}


def test_the_setup_cell_fits_a_page_and_names_the_address_once():
    cell = tidied(v4.new_code_cell("old", metadata={"tags": ["setup"]}))
    assert cell.source.count(tools_book.address()) == 1
    assert '"runnable-deep-learning[book] @ {address}"' in cell.source
    assert max(len(line) for line in cell.source.splitlines()) <= 80
    assert cell.metadata["tags"] == ["setup", "hide-cell"]


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_room)
    path = tmp_path / "n.ipynb"
    with pytest.raises(OSError, match="No space left") as caught:
        tools_book.write(path, "x")
    assert Path(caught.value.filename) == path
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: no_room())
    with pytest.raises(OSError, match="No space left") as caught:
        tools_book.write(path, "x")
    assert Path(caught.value.filename) == path
