"""The pages that are made at rendering, and what any title or kind of cell does to a page."""

import json
import re

import pytest
from nbformat import v4

from tools import render
from tools.book import BookError

MAGICS = ["!echo 'a$b'", "%%bash\necho 'a$b' `pwd`", "%%html\n<b>x</b>", "%timeit -n1 -r1 1"]
MAGICS += ["print?", 'x = !ls\nif x:\n    !echo "$HOME"']
TITLE = r"Odds $P(A|B)$, `a|b`, a | b, [x], A[ b, *y*, 2 * 3, a_b_c, \$5 & #1"
SHOWN = "Odds P(A|B), a|b, a | b, [x], A[ b, y, 2 * 3, a_b_c, $5 &amp; #1"
HARDWARE = "Chip(R) *Fast* [x](y) `a` $1 <b>bold</b> a_b_c | 2.2GHz\\"


def test_any_title_and_hardware_and_cells_of_shell_and_magics_are_rendered(book):
    book.make(one=MAGICS)
    toc = (book.folder / "_toc.yml").read_text()
    book.put("_toc.yml", toc + "- file: book/references\n- file: book/executed\n")
    work = "## Further reading\n\n- [A | B](https://example.org)\n"
    book.change("one", lambda cells: cells[0].update(source=f"# {TITLE}\n\n{work}"))
    for step in ("execute", "accept"):
        assert book.run(f"tools.{step}").returncode == 0
    copy = book.folder / "_build/executed/chapters/some/one.ipynb"
    notebook = json.loads(copy.read_text())
    notebook["metadata"]["executed"] |= {"hardware": HARDWARE, "versions": {"torch": "2_*9*_"}}
    copy.write_text(json.dumps(notebook))
    done = book.run("tools.render")
    assert done.returncode == 0, done.stdout

    executed = words(book, "executed")
    [row] = re.findall(r"<tr.*?</tr>", executed)[1:]
    assert f">{SHOWN}</span></a>" in row
    assert row.count("<td") == 4
    hardware = HARDWARE.replace("<", "&lt;").replace(">", "&gt;")
    assert f"<li><p>PyTorch 2_*9*_, {hardware}</p></li>" in executed
    references = words(book, "references")
    assert 'A | B</a></p></li> </ul> <p>From <a class="reference internal"' in references
    assert f">{SHOWN}</span></a>.</p>" in references
    page = (book.folder / "_build/html/chapters/some/one.html").read_text()
    assert f"({hardware})" in page


def words(book, name: str) -> str:
    return re.sub(r"\s+", " ", (book.folder / f"_build/html/book/{name}.html").read_text())


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [v4.new_markdown_cell("")],
        [v4.new_markdown_cell("#   \n\ntext")],
        [v4.new_markdown_cell("#Title")],
        [v4.new_markdown_cell("\n# Title")],
        [v4.new_markdown_cell("## Title")],
        [v4.new_code_cell("# Title")],
        [v4.new_raw_cell("# Title")],
    ],
    ids=lambda cells: repr(cells[0].source) + cells[0].cell_type if cells else "no cells",
)
def test_a_notebook_without_a_title_is_named(book, cells):
    book.make(one=["1"]).change("one", lambda old: old.__setitem__(slice(None), cells))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(book.folder)
        with pytest.raises(BookError, match=r"^chapters/some/one\.ipynb has no title: begin"):
            render.stage(committed=True)
