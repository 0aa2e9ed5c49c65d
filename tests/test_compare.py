"""Every guard of the comparison goes red on the fault that it is for."""

import re

import nbformat
import pytest
from nbformat import v4

WIDGET = "application/vnd.jupyter.widget-view+json"
COMPARE = ["pytest", "-q", "-p", "tools.compare", "--executed"]
COMPARE += ["--continue-on-collection-errors", "-p", "no:cacheprovider", "chapters"]


def print_other(number):
    def change(cells):
        cells[1].outputs[0].text = f"loss {number} after 7 steps\n"

    return change


def steps_differ(cells):
    cells[1].outputs[0].text = "loss 0.5 after 8 steps\n"


def float_steps(cells):
    cells[1].outputs[0].text = "loss 0.5 after 7.0 steps\n"


def count_differs(cells):
    cells[6].outputs[0].text = "The count is 2931.\n"


def drop_output(cells):
    cells[3].outputs = []


def drop_figure(cells):
    cells[2].outputs = []


def change_figure_type(cells):
    data = cells[2].outputs[0].data
    data["image/png"] = data.pop("image/svg+xml")


def move_figure(cells):
    data = cells[2].outputs[0].data
    data["image/svg+xml"] = data["image/svg+xml"].replace("<svg", "<svg width='9'")


def unexecute(cells):
    cells[3].execution_count = None


def swap_order(cells):
    cells[1].execution_count, cells[3].execution_count = 3, 1


def store_error(cells):
    error = {"output_type": "error", "ename": "ValueError", "evalue": "planted", "traceback": []}
    cells[3].outputs = [nbformat.from_dict(error)]


def edit_source(cells):
    cells[1].source += "  # edited"


def widget_gone(cells):
    cells[2].outputs[0].data.pop(WIDGET)


def widen_page(cells):
    cells[3].outputs[1].data["text/html"] = '<td width="1000.2">0.5</td>'


def swap_outputs(cells):
    cells[3].outputs.reverse()


def drop_ignored(cells):
    cells[4].outputs = []


def ignored_differs(cells):
    cells[4].outputs[0].data["text/plain"] = "12345.6"


def loosely(number):
    def change(cells):
        cells[5].outputs[0].data["text/plain"] = number

    return change


def show_more(cells):
    """Outputs that the notebook's code does not make: a widget, a page, a stream before it."""
    cells[2].outputs[0].data[WIDGET] = {"model_id": "0f3a", "version_major": 2}
    cells[3].outputs[0].data["text/html"] = '<td width="1000.1">0.5</td>'
    cells[3].outputs.insert(0, v4.new_output("stream", name="stdout", text="first\n"))


RED = {
    "wrong number": (print_other(0.505), "committed '0.5', executed '0.505'"),
    "wrong integer": (steps_differ, "committed '7', executed '8'"),
    "integer at the end of a sentence": (count_differs, "committed '2930', executed '2931'"),
    "whole numbers turned into floats": (float_steps, "committed '7', executed '7.0'"),
    "widget gone": (widget_gone, WIDGET),
    "outputs in another order": (swap_outputs, "['stdout', 'text/html/text/plain']"),
    "ignored output gone": (drop_ignored, "committed ['text/plain'], executed []"),
    "attribute of a page": (widen_page, 'width="1000.2"'),
    "beyond a wider tolerance": (loosely("(0.3, 400)"), "committed '0.25', executed '0.3'"),
    "a count beyond it": (loosely("(0.25, 440)"), "committed '400', executed '440'"),
    "missing output": (drop_output, "Missing output fields"),
    "figure gone": (drop_figure, "image/svg+xml"),
    "figure of another type": (change_figure_type, "image/svg+xml"),
    "unexecuted cell": (unexecute, "did not all run, once and in order"),
    "cells out of order": (swap_order, "did not all run, once and in order"),
    "stored error": (store_error, "code cell 3 raised an error"),
    "other source executed": (edit_source, "holds other code"),
}
GREEN = {
    "within the tolerance": print_other(0.50049),
    "other pixels": move_figure,
    "ignored output": ignored_differs,
    "within a wider tolerance": loosely("(0.26, 410)"),
}


@pytest.mark.parametrize("fault", RED)
def test_fault_in_the_executed_copy_is_red(executed_book, tmp_path, fault):
    change, message = RED[fault]
    book = executed_book.copy(tmp_path)
    for executed in (False, True):
        book.change("numbers", show_more, executed)
    book.change("numbers", change, executed=True)
    done = book.run(*COMPARE)
    assert done.returncode == 1, done.stdout
    assert message in done.stdout
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed >= 2, "the other notebook is compared all the same"


@pytest.mark.parametrize("difference", GREEN)
def test_what_may_differ_is_green(executed_book, tmp_path, difference):
    book = executed_book.copy(tmp_path)
    book.change("numbers", GREEN[difference], executed=True)
    done = book.run(*COMPARE)
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_notebook_cell_source_and_both_texts_are_shown(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    book.change("numbers", print_other(0.505), executed=True)
    said = book.run(*COMPARE).stdout
    assert "chapters/some/numbers.ipynb, code cell 1 (cell-0): the outputs differ" in said
    assert "print('loss', x, 'after', 7, 'steps')" in said
    assert "loss 0.5 after 7 steps" in said
    assert "loss 0.505 after 7 steps" in said
    assert "FAILED chapters/some/numbers.ipynb::cell-0" in said


def test_edited_source_with_an_old_execution_is_red(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    book.change("numbers", edit_source)
    done = book.run(*COMPARE)
    assert done.returncode == 1
    assert "is stale" in done.stdout


def test_notebook_committed_without_outputs_is_red(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    book.change("numbers", unexecute)
    done = book.run(*COMPARE)
    assert done.returncode == 1
    assert "run `make accept`" in done.stdout


@pytest.mark.parametrize(
    ("damage", "message"), [("", "has not been executed"), ("{", "is not a readable notebook")]
)
def test_missing_or_corrupt_copy_is_red(executed_book, tmp_path, damage, message):
    book = executed_book.copy(tmp_path)
    copy = tmp_path / "_build/executed/chapters/some/numbers.ipynb"
    copy.write_text(damage) if damage else copy.unlink()
    done = book.run(*COMPARE)
    assert done.returncode == 1
    assert message in done.stdout
