"""Small defects that can be planted in a source file: what `bench/trials/mutants/run.py` plants.

A mutation changes one place of the syntax tree. Not touched: docstrings, annotations, lines for the
log, checks that only another defect can trip (``assert``, ``strict=True``), and text with blanks in
it, which is for people. Text without blanks is a name on the wire, in a file or in a query.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
WIRE_TEXT: Final = re.compile(r"[^\s]+")
LOGGERS: Final = ("logger", "log")

Change = tuple[str, Callable[[ast.AST], ast.AST]]
"""What kind of defect, and what makes the node that stands in place of a copy of the old one."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One planted defect.

    Attributes:
        line: Of the statement it is in.
        kind: Which defect.
        was: That statement's first line, as the syntax tree prints it.
        becomes: Likewise, after the change.
        source: The whole file after the change.
    """

    line: int
    kind: str
    was: str
    becomes: str
    source: str


def mutations_of(source: str) -> list[Mutation]:
    """Return every mutation of a file, in the order of the file."""
    tree = ast.parse(source)
    found = []
    for place in _changed_places(tree):
        mutant = _replaced(copy.deepcopy(tree), place.path, place.change)
        text = ast.unparse(ast.fix_missing_locations(mutant)) + "\n"
        found.append(Mutation(place.line, place.kind, place.was, place.becomes, text))
    return found


def statements_of(source: str) -> set[tuple[str, str]]:
    """Return what is changed and what it becomes, of every mutation of a file.

    Without the files after the changes, which take nearly all of the time of :func:`mutations_of`.
    """
    return {(place.was, place.becomes) for place in _changed_places(ast.parse(source))}


Path = tuple[tuple[str, int | None], ...]
"""The way to a node: names of fields, with an index in those that are lists."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where and how a file is changed; the rest as in :class:`Mutation`."""

    path: Path
    change: Callable[[ast.AST], ast.AST]
    line: int
    kind: str
    was: str
    becomes: str


def _changed_places(tree: ast.Module) -> Iterator[_Place]:
    """Yield every change that is one, in the order of the file; the tree stays as it is."""
    for path in _places(tree):
        statement, way = _statement(tree, path)
        was = _head(statement)
        for kind, change in _changes(_at(tree, path)):
            alone = ast.Module([copy.deepcopy(statement)], [])
            inside = (("body", 0), *way)
            alone = _replaced(alone, inside, change)
            becomes = _head(_statement(alone, inside)[0])
            if was != becomes:
                yield _Place(path, change, statement.lineno, kind, was, becomes)


def _places(node: ast.AST, path: Path = ()) -> Iterator[Path]:
    """Yield the way to every node that may be changed."""
    if _is_left_alone(node):
        return
    if path:
        yield path
    for name, value in _fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        if isinstance(value, ast.AST):
            yield from _places(value, (*path, (name, None)))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST) and not _is_docstring(node, name, index):
                    yield from _places(item, (*path, (name, index)))


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Yield a node's fields; of a sentence with values in it, and of a value there, the values."""
    match node:
        case ast.JoinedStr(values=values) if any(map(_has_blank, values)):
            places = [item if isinstance(item, ast.FormattedValue) else None for item in values]
            yield "values", places
        case ast.FormattedValue(value=value):
            yield "value", value
        case _:
            yield from ast.iter_fields(node)


def _has_blank(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str(text)):
            return not WIRE_TEXT.fullmatch(text)
    return False


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")) | ast.keyword(arg="strict"):
            return True
        case ast.Call(func=ast.Name(id="TypeVar" | "assert_never")):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in LOGGERS
    return False


def _is_docstring(parent: ast.AST, name: str, index: int) -> bool:
    if name != "body" or not isinstance(parent, ast.Module | ast.ClassDef | ast.FunctionDef
                                        | ast.AsyncFunctionDef):  # fmt: skip
        return False
    match parent.body[index]:
        case ast.Expr(value=ast.Constant(value=str())):
            return True  # a docstring, or the sentence after a constant
    return False


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[op]):
            for other in COMPARISONS[type(op)]:
                yield "comparison", _setting("ops", [other()])
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                other = COMPARISONS[type(op)][0]
                changed = [*ops[:index], other(), *ops[index + 1 :]]
                yield "comparison", _setting("ops", changed)
        case ast.Constant():
            yield from _constants(node)
        case ast.BoolOp():
            other_op = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield "and, or", _setting("op", other_op())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield "sign", _operand
        case ast.BinOp() | ast.AugAssign() if type(node.op) in ARITHMETIC:
            yield "arithmetic", _setting("op", ARITHMETIC[type(node.op)]())
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield "min, max, any, all", _setting("id", NAMES[name])
        case ast.Call():
            yield from _swapped_arguments(node)
    yield from _statements(node)


def _constants(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    match value:
        case bool():
            yield "truth", _setting("value", not value)
        case int():
            yield "off by one", _setting("value", value + 1)
            if value > 0:
                yield "off by one", _setting("value", value - 1)
        case float():
            yield "number", _setting("value", value + 1.0)
        case str() if WIRE_TEXT.fullmatch(value):
            yield "wire text", _setting("value", value + "x")


def _swapped_arguments(node: ast.Call) -> Iterator[Change]:
    """Swap neighbours that could be taken for each other: of the same form."""
    for index, (one, two) in enumerate(zip(node.keywords, node.keywords[1:], strict=False)):
        if one.arg and two.arg and type(one.value) is type(two.value):
            yield "swapped arguments", partial(_swap_keywords, at=index)
    for index, (first, second) in enumerate(zip(node.args, node.args[1:], strict=False)):
        if type(first) is type(second) and isinstance(first, ast.Name | ast.Attribute):
            yield "swapped arguments", partial(_swap_positional, at=index)


def _statements(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Return(value=ast.expr() as value) if not _is_falsy(value):
            yield "returns nothing", _setting("value", ast.Constant(None))
        case ast.If() | ast.While() | ast.IfExp():
            yield "condition", _negated
        case ast.comprehension(ifs=[_, *_]):
            yield "condition", _setting("ifs", [])
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "left out", _nothing
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise():
            yield "left out", _nothing
        case ast.Continue() | ast.Break():
            yield "left out", _nothing


def _is_falsy(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, False)


def _setting(name: str, value: object) -> Callable[[ast.AST], ast.AST]:
    def change(node: ast.AST) -> ast.AST:
        setattr(node, name, value)
        return node

    return change


def _operand(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.UnaryOp)
    return node.operand


def _negated(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.If | ast.While | ast.IfExp)
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return node


def _nothing(node: ast.AST) -> ast.AST:
    return ast.Pass()


def _swap_keywords(node: ast.AST, at: int) -> ast.AST:
    assert isinstance(node, ast.Call)
    one, two = node.keywords[at : at + 2]
    one.value, two.value = two.value, one.value
    return node


def _swap_positional(node: ast.AST, at: int) -> ast.AST:
    assert isinstance(node, ast.Call)
    node.args[at : at + 2] = node.args[at : at + 2][::-1]
    return node


def _at(tree: ast.AST, path: Path) -> ast.AST:
    node = tree
    for name, index in path:
        value = getattr(node, name)
        node = value if index is None else value[index]
    return node


def _statement(tree: ast.AST, path: Path) -> tuple[ast.stmt, Path]:
    """Return the innermost statement on the way, and the way on from there."""
    found, node = None, tree
    for step, (name, index) in enumerate(path, start=1):
        value = getattr(node, name)
        node = value if index is None else value[index]
        if isinstance(node, ast.stmt):
            found = node, path[step:]
    assert found is not None
    return found


def _head(statement: ast.stmt) -> str:
    """Return a statement in one line; of one that holds others, what comes before them."""
    lines = ast.unparse(ast.fix_missing_locations(copy.deepcopy(statement))).splitlines()
    decorators = len(getattr(statement, "decorator_list", ()))
    return lines[decorators] if hasattr(statement, "body") else " ".join(lines)


def _replaced(tree: ast.Module, path: Path, change: Callable[[ast.AST], ast.AST]) -> ast.Module:
    *way, (name, index) = path
    parent = _at(tree, tuple(way))
    node = _at(parent, ((name, index),))
    if index is None:
        setattr(parent, name, change(node))
    else:
        getattr(parent, name)[index] = change(node)
    return tree
