"""The package's frame: its names, its cost, and what it says to readers of D2L."""

import ast
import graphlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import d2lib

HEAVY = ("torchvision", "matplotlib.pyplot", "pandas", "scipy", "sklearn")


def test_every_public_name_has_a_docstring_that_names_its_section():
    for name in d2lib.__all__:
        thing = getattr(d2lib, name)
        if callable(thing):
            section = re.search(r"Taught in `(.*?)`", inspect.getdoc(thing))
            assert Path("chapters", f"{section[1]}.ipynb").exists(), name


def test_star_import_gives_what_all_lists():
    names = {}
    exec("from d2lib import *", names)
    assert set(d2lib.__all__) <= set(names)


def test_no_file_imports_another_in_a_circle():
    files = {".".join(path.with_suffix("").parts): path for path in Path("d2lib").rglob("*.py")}
    needs = {}
    for name, path in files.items():
        nodes = list(ast.walk(ast.parse(path.read_text())))  # imports within functions too
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        wanted = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        wanted |= {node.module for node in froms}
        wanted |= {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
        needs[name] = wanted & set(files)
    list(graphlib.TopologicalSorter(needs).static_order())  # raises CycleError


def test_import_pulls_in_nothing_heavy():
    code = f"import sys, d2lib; print([m for m in {HEAVY} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_pyplot_is_imported_on_first_use():
    code = "import sys, d2lib; d2lib.plt.close(); print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("arange", "use torch.arange"),
        ("reduce_sum", "use X.sum()"),
        ("numpy", r"use X.detach\(\).cpu\(\).numpy\(\)"),
        ("no_such_name", "has no attribute 'no_such_name'; it has DATA_HUB, "),
    ],
)
def test_a_name_that_is_not_there_says_what_to_use(name, advice):
    with pytest.raises(AttributeError, match=advice):
        getattr(d2lib, name)


def test_torch_aliases_name_things_that_torch_has():
    import torch

    for name in d2lib._SAME_IN_TORCH.split():
        assert hasattr(torch, name), name
