"""What a lesson's cell tagged `d2lib` defines is what d2lib holds."""

import ast
import inspect
import sys
import textwrap
from pathlib import Path

import pytest
import torch

import d2lib
from tools import book


def lesson_definitions() -> list[tuple[str, ast.AST]]:
    """Functions and methods in cells tagged `d2lib`, by the name they have in d2lib."""
    found = []
    for path in book.notebooks():
        for cell in book.code_cells(book.read(path)):
            if "d2lib" in book.tags(cell):
                defined = definitions(ast.parse(cell.source))
                found += [(f"{path.stem}:{name}", node) for name, node in defined]
    return found


def definitions(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """The functions of a cell; the methods of its classes; functions that `add_to_class` adds."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found += [(f"{node.name}.{method.name}", method) for method in methods]
        elif isinstance(node, ast.FunctionDef):
            found.append((attached_to(node) + node.name, node))
    return found


def attached_to(function: ast.FunctionDef) -> str:
    """`Trainer.` for a function decorated with `@d2l.add_to_class(d2l.Trainer)`."""
    for decorator in list(function.decorator_list):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("add_to_class"):
            function.decorator_list.remove(decorator)
            return ast.unparse(decorator.args[0]).removeprefix("d2l.") + "."
    return ""


def in_library(name: str):
    """d2lib's function, private ones too, or method."""
    modules = [module for path, module in sys.modules.items() if path.split(".")[0] == "d2lib"]
    first, *rest = name.split(".")
    thing = next(vars(module)[first] for module in modules if first in vars(module))
    for part in rest:
        thing = vars(thing)[part]
    return thing


class Bare(ast.NodeTransformer):
    """Drops docstrings, annotations and checks of arguments: what a lesson may leave out."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        node.returns = None
        return node

    def visit_Expr(self, node):
        call = node.value
        named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        return None if named and call.func.id.lstrip("_").startswith("check_") else node

    def visit_AnnAssign(self, node):
        return ast.Assign([node.target], node.value, lineno=0)

    def visit_arg(self, node):
        node.annotation = None
        return node


def bare(node: ast.AST) -> str:
    return ast.unparse(Bare().visit(node))


@pytest.mark.parametrize(("name", "definition"), lesson_definitions())
def test_lesson_and_library_have_the_same_code(name, definition):
    source = textwrap.dedent(inspect.getsource(in_library(name.split(":")[1])))
    assert bare(definition) == bare(ast.parse(source).body[0])


def test_another_body_is_noticed():
    lesson = ast.parse("def f(x):\n    y = x\n    return y + 1").body[0]
    library = (
        'def f(x: int) -> int:\n    """Add."""\n    _check_x(x)\n    y: int = x\n    return y + {}'
    )
    assert bare(lesson) == bare(ast.parse(library.format(1)).body[0])
    assert bare(lesson) != bare(ast.parse(library.format(2)).body[0])


def test_methods_are_found_in_classes_and_where_they_are_attached():
    cell = """
class Module(nn.Module):
    def loss(self): ...

@d2l.add_to_class(d2l.Trainer)
def fit_epoch(self): ...

@add_to_class(DataModule)
def get_tensorloader(self): ...

def plot(): ...
"""
    found = definitions(ast.parse(cell))
    names = ["Module.loss", "Trainer.fit_epoch", "DataModule.get_tensorloader", "plot"]
    assert [name for name, _ in found] == names
    assert not found[1][1].decorator_list
    assert in_library("_check_shapes").__name__ == "_check_shapes"


@pytest.fixture(scope="module")
def short() -> dict:
    """What the section on object-oriented design defines before it turns to d2l.Trainer."""
    names = {}
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    lesson = book.read(Path("chapters/linear_regression/object_oriented_design.ipynb"))
    for cell in book.code_cells(lesson):
        if "d2l.Trainer" in cell.source:
            break
        if not {"setup", "hide-input", "hide-cell"} & set(book.tags(cell)):
            defined = [node for node in ast.parse(cell.source).body if isinstance(node, kinds)]
            exec(compile(ast.Module(defined, []), cell.id, "exec"), names)
    return names


@pytest.mark.parametrize("batch_size", [32, 300])
def test_the_short_trainer_measures_what_the_library_measures(short, batch_size):
    data = d2lib.SyntheticRegressionData([1.5, -2.0], 3.0, batch_size=batch_size, seed=0)
    histories, boards = [], []
    for trainer in (short["Trainer"](3), d2lib.Trainer(3)):
        torch.manual_seed(0)
        model = d2lib.LinearRegressionScratch(2, 0.03)
        model.board.display = False
        histories.append(trainer.fit(model, data))
        boards.append(model.board.data)
    ours, theirs = histories
    assert type(ours) is not type(theirs)
    assert ours.steps["train_loss"] == theirs.steps["train_loss"]
    assert ours["val_loss"] == theirs["val_loss"]
    assert boards[0] == boards[1]


def test_the_short_board_draws_what_the_library_draws(short):
    boards = short["ProgressBoard"]("x", display=False), d2lib.ProgressBoard("x", display=False)
    for board in boards:
        for x in range(25):
            board.draw(x, x**2, "square", every_n=4)
        board.flush()
    ours, theirs = ([tuple(p) for p in board.data["square"]] for board in boards)
    assert ours == theirs


ROWS = [
    5,
    torch.tensor(7),
    slice(3, 40, 4),
    [0, -1],
    torch.tensor([9, 2, 9]),
    torch.tensor([-1, 3]),
]
ROWS += [torch.arange(50) % 3 == 0, torch.zeros(0, dtype=torch.int64)]


@pytest.mark.parametrize("resize", [(6, 5), (3, 4)])
@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_the_short_images_are_those_of_the_library(rows, resize):
    lesson = book.read(Path("chapters/linear_classification/fashion_mnist.ipynb"))
    [source] = [c.source for c in book.code_cells(lesson) if "class LabelledImages" in c.source]
    names = {"torch": torch, "F": torch.nn.functional}
    exec(source, names)
    raw = torch.randint(0, 256, (50, 6, 5), dtype=torch.uint8), torch.arange(50)
    kinds = names["LabelledImages"], d2lib.LabelledImages
    (X, y), (X_ours, y_ours) = (Images(*raw, resize)[rows] for Images in kinds)
    assert torch.equal(X, X_ours)
    assert torch.equal(torch.as_tensor(y), torch.as_tensor(y_ours))


def test_a_row_that_is_not_there_is_an_index_error():
    images = d2lib.LabelledImages(torch.zeros(5, 4, 4).byte(), torch.arange(5), (4, 4))
    for rows in (5, [5], torch.tensor([0, 5]), torch.tensor([-6])):
        with pytest.raises(IndexError):
            images[rows]
