"""What a lesson's cell tagged `d2lib` defines is what d2lib holds."""

import ast
import inspect

import pytest

import d2lib
from tools import book


def lesson_definitions() -> list[tuple[str, ast.AST]]:
    found = []
    for path in book.notebooks():
        for cell in book.code_cells(book.read(path)):
            if "d2lib" in book.tags(cell):
                nodes = ast.parse(cell.source).body
                kinds = (ast.FunctionDef, ast.ClassDef)
                found += [(f"{path.stem}:{n.name}", n) for n in nodes if isinstance(n, kinds)]
    return found


class Bare(ast.NodeTransformer):
    """Drops docstrings and annotations: what a lesson may leave out."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        node.returns = None
        return node

    def visit_arg(self, node):
        node.annotation = None
        return node


def bare(node: ast.AST) -> str:
    return ast.unparse(Bare().visit(node))


@pytest.mark.parametrize(("name", "definition"), lesson_definitions())
def test_lesson_and_library_have_the_same_code(name, definition):
    source = inspect.getsource(getattr(d2lib, definition.name))
    assert bare(definition) == bare(ast.parse(source).body[0])


def test_another_body_is_noticed():
    lesson = ast.parse("def f(x):\n    return x + 1").body[0]
    library = 'def f(x: int) -> int:\n    """Add."""\n    return x + {}'
    assert bare(lesson) == bare(ast.parse(library.format(1)).body[0])
    assert bare(lesson) != bare(ast.parse(library.format(2)).body[0])
