"""One run of a notebook: what it depends on, and what a failure says."""

import ast
import json
import os
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbformat import v4

from tools import run_notebook

FAILING = {  # a cell: what is said of it
    "%no_such_magic": "UsageError: Line magic function `%no_such_magic` not found.",
    "raise ExceptionGroup('both', [ValueError('a'), KeyError('b')])": "| ExceptionGroup: both (2",
    "exit()": "NameError: name 'exit' is not defined",
    "raise SystemExit(0)": "SystemExit: 0",  # a success in papermill's eyes
    "get_ipython()._showtraceback = print\n1 / 0": "it failed without a word",
    "get_ipython().display_pub.publish({'x/y': {}})": "NotebookValidationError: {} is not valid",
}


def test_a_failure_without_an_ordinary_error_names_its_cell_and_cause(book):
    book.make(**{f"n{k}": ["x = 1", source] for k, source in enumerate(FAILING)})
    done = book.run("tools.execute", "--jobs", "3")
    assert done.returncode == 1
    said = {name: record["error"] for name, record in book.records().items()}
    assert {record["status"] for record in book.records().values()} == {"failed"}
    for k, (source, cause) in enumerate(FAILING.items()):
        error = said[f"chapters/some/n{k}.ipynb"]
        assert error.startswith(f"code cell 2 (`{source.splitlines()[0][:60]}`):")
        assert cause in error
    assert all("\x1b" not in error for error in said.values())


def test_a_cause_does_not_steer_the_terminal_and_is_short():
    error = v4.new_output(
        "error", ename="E", evalue="x", traceback=["\x1b[2J\x1b]8;;u\x07" + "é" * 999]
    )
    cell = v4.new_code_cell(outputs=[error])
    assert run_notebook._cause(cell) == ["é" * 200]
    error.traceback = []
    assert run_notebook._cause(cell) == ["E: x"]
    assert run_notebook._cause(v4.new_code_cell()) == []


@pytest.mark.parametrize("saved", [None, "", '{"cells": ['])
def test_a_notebook_that_was_not_saved_whole_is_shown_as_given(tmp_path, saved):
    given, made = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    given.write_text(nbformat.writes(v4.new_notebook(cells=[v4.new_code_cell("x = 1\n")])))
    if saved is not None:
        made.write_text(saved)
    notebook = run_notebook._last_saved(made, given)
    assert [cell.source for cell in notebook.cells] == ["x = 1\n"]
    empty = v4.new_notebook(cells=[v4.new_code_cell(" ")])
    assert run_notebook._name(empty, empty.cells[0]) == "code cell 1 (``)"


PLANTED = "planted = 1\nimport os\nos.environ['PLANTED'] = 'yes'\n"
FACTS = {  # an expression, and its value in a run that depends on the checkout alone
    "'planted' in globals() or 'PLANTED' in os.environ": False,
    "get_ipython().ast_node_interactivity": "last_expr",
    "matplotlib.rcParams['lines.linewidth']": 1.5,
    "__debug__": True,
    "sys.warnoptions": [],
    "sys.flags.dont_write_bytecode": 0,
    "time.tzname[0]": "UTC",
    "shutil.get_terminal_size().columns": 80,
    "os.environ.get('KERNELSPEC')": None,
    "os.environ.get('TORCH_LOGS')": None,
    "importlib.util.find_spec('elsewhere')": None,
    "importlib.util.find_spec('beside')": None,
    "importlib.util.find_spec('d2lib').origin": str(ROOT / "d2lib/__init__.py"),
    "hasattr(yaml, 'safe_load')": True,
    "os.environ['D2LIB_DATA']": "/data",
    "os.environ['https_proxy']": "http://127.0.0.1:9",
}


def user_with_settings(book) -> dict[str, str]:
    """Plants what a user may have set up; returns the environment of such a user."""
    home, spec = book.folder / "home", json.dumps({
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "planted", "language": "python", "env": {"KERNELSPEC": "planted"},
    })  # fmt: skip
    for folder in (".local/share/jupyter", "jupyter"):
        book.put(f"home/{folder}/kernels/python3/kernel.json", spec)
    for folder in (".ipython", "ipython"):
        book.put(f"home/{folder}/profile_default/startup/00.py", PLANTED)
        config = "c.InteractiveShell.ast_node_interactivity = 'all'"
        book.put(f"home/{folder}/profile_default/ipython_config.py", config)
    for folder in (".config/matplotlib", "matplotlib"):
        book.put(f"home/{folder}/matplotlibrc", "lines.linewidth: 9")
    book.put("home/startup.py", PLANTED)
    for module in ("sitecustomize", "elsewhere", "d2lib"):
        book.put(f"home/modules/{module}.py", PLANTED)
    for module in ("beside", "yaml", "fnmatch"):  # the kernel's launcher imports the last
        book.put(f"chapters/some/{module}.py", "raise SystemExit(1)")
    return book.environment | {
        "HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "TZ": "Asia/Tokyo", "COLUMNS": "40",
        "MPLCONFIGDIR": str(home / "matplotlib"), "MATPLOTLIBRC": str(home / "matplotlib"),
        "JUPYTER_PATH": str(home / "jupyter"), "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(home / "modules")]),
        "PYTHONSTARTUP": str(home / "startup.py"), "PYTHONOPTIMIZE": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore", "TORCH_LOGS": "planted",
        "LC_ALL": "C", "D2LIB_DATA": "/data", "https_proxy": "http://127.0.0.1:9",
    }  # fmt: skip


def test_no_setting_of_the_user_reaches_a_run(book):
    modules = "importlib.util, matplotlib, os, shutil, sys, time, yaml"
    book.make(one=[f"import {modules}\nprint([{', '.join(FACTS)}])\nopen('ü', 'w').close()"])
    done = book.run("tools.execute", env=user_with_settings(book))
    assert done.returncode == 0, done.stdout
    found = ast.literal_eval(book.outputs("one")[1][0].text)
    assert dict(zip(FACTS, found, strict=True)) == FACTS
    left = [path.name for path in (book.folder / "home").rglob("*") if path.is_file()]
    assert not {"history.sqlite", "ipython_kernel_config.json"} & set(left), "nothing is written"


def test_a_run_leaves_no_temporary_file_and_runs_what_is_to_run_at_its_end(book):
    at_end = "atexit.register(pathlib.Path('ended').touch)"
    keep = f"import atexit, pathlib, tempfile\n{at_end}\nprint(tempfile.mkdtemp())"
    book.make(one=[keep], two=["'os' in globals() or 'atexit' in globals()"])
    assert book.run("tools.execute").returncode == 0
    assert not Path(book.outputs("one")[1][0].text.strip()).exists()
    assert (book.folder / "chapters/some/ended").exists()
    assert book.outputs("two")[1][0].data["text/plain"] == "False"


def test_a_file_that_would_change_figures_unseen_is_refused(book):
    book.make(one=["1"]).put("chapters/some/matplotlibrc", "lines.linewidth: 9")
    done = book.run("tools.execute")
    assert done.returncode == 1
    assert done.stdout.startswith("error: chapters/some/matplotlibrc would change the figures")
