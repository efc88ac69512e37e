"""Read the syntax tree of a module and list its imports and its side effects.

The rules are in `tests/repository/test_architecture.py`: which module may do what. A name is resolved through imports and aliases
(`import pyarrow.parquet as pq` makes `pq.read_table` `pyarrow.parquet.read_table`). A method of an unknown object (`path.read_text()`) is
recognised by its own name. Type annotations do not count.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from side_effects import (
    HIDDEN_IMPORT,
    IS_MODE,
    METHODS,
    NAMES,
    NETWORK,
    NETWORK_MODULES,
    OPENERS,
    RANDOM,
    READ,
    TO_TEXT,
    UNSAFE,
    UNSAFE_MODULES,
    WRITE,
    WRITING_FLAGS,
)


@dataclass(frozen=True)
class SideEffect:
    """A side effect of a module: its kind, line and name."""

    kind: str
    line: int
    name: str


@dataclass(frozen=True)
class Import:
    """An imported module of the package, and the line of the import."""

    module: str
    line: int


def read_module(source: str, module: str, known: frozenset[str], is_package: bool = False) -> tuple[list[Import], list[SideEffect]]:
    """The imports of a module from `known` (the modules of its own package), and its side effects.

    >>> read_module("from pipeline import fees", "pipeline.week", frozenset({"pipeline", "pipeline.fees"}))
    ([Import(module='pipeline.fees', line=1)], [])
    >>> read_module("print(1)", "pipeline.week", frozenset({"pipeline"}))
    ([], [SideEffect(kind='print', line=1, name='print')])
    """
    reader = _Reader(module, known, is_package)
    reader.visit(ast.parse(source))
    return reader.imports, sorted(set(reader.effects), key=lambda effect: (effect.line, effect.kind, effect.name))


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Each import circle, as a path that ends at the module where it begins."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> Iterator[list[str]]:
        for other in sorted(graph.get(module, ())):
            if other in path:
                yield [*path[path.index(other) :], other]
            elif other not in done:
                yield from walk(other, [*path, other])
        done.add(module)

    for module in sorted(graph):
        if module not in done:
            yield from walk(module, [module])


@functools.cache
def _kind_of(name: str) -> str | None:
    """The kind of side effect of a name; cached, because the same few names occur in most modules."""
    return next((kind for pattern, kind in NAMES if fnmatchcase(name, pattern)), None)


class _Reader(ast.NodeVisitor):
    def __init__(self, module: str, known: frozenset[str], is_package: bool) -> None:
        self.package = module if is_package else module.rpartition(".")[0]
        self.root = module.partition(".")[0]
        self.known = known
        self.aliases: dict[str, str] = {}
        self.imports: list[Import] = []
        self.effects: list[SideEffect] = []

    # What is imported

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(alias.name, node.lineno)
            self.aliases[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
            base = ".".join([*parents, *([base] if base else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            self._imported(full, node.lineno)
            self.aliases[alias.asname or alias.name] = full
            if alias.name == "*" and not base.startswith(self.root):
                self._side_effect(HIDDEN_IMPORT, node, f"from {base} import *")

    def _imported(self, full: str, line: int) -> None:
        if full.partition(".")[0] == self.root:
            while full not in self.known and "." in full:
                full = full.rpartition(".")[0]
            self.imports.append(Import(full, line))
            return
        parts = full.split(".")
        prefixes = {".".join(parts[: i + 1]) for i in range(len(parts))}
        for kind, modules in ((NETWORK, NETWORK_MODULES), (UNSAFE, UNSAFE_MODULES)):
            if prefixes & modules:
                self.effects.append(SideEffect(kind, line, full))

    # What is used

    def visit_Name(self, node: ast.Name) -> None:
        self._used(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._used(node)
        kind = METHODS.get(node.attr)
        if kind and not self._dotted(node).startswith("os."):
            self._side_effect(kind, node, f".{node.attr}")
        self.generic_visit(node)

    def _used(self, node: ast.Name | ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            return
        name = self._dotted(node)
        if "." in name and not self._is_imported(node):
            return  # a variable that only happens to be called `time`
        kind = _kind_of(name)
        if kind is not None:
            self._side_effect(kind, node, name)

    def visit_Call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "os.open":
            self._os_open(node)
        elif name in OPENERS:
            self._opened(node, name, OPENERS[name])
        elif method == "open":
            self._opened(node, ".open", None)
        elif method == "replace" and len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Dict):
            self._side_effect(WRITE, node, ".replace(target)")  # str.replace takes two arguments, DataFrame.replace a dict
        elif method == "rename" and len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], (ast.Constant, ast.Dict)):
            self._side_effect(WRITE, node, ".rename(target)")  # Series.rename takes a literal name, DataFrame.rename columns=
        elif method in TO_TEXT and (node.args or {"path_or_buf", "path", "buf"} & {k.arg for k in node.keywords}):
            self._side_effect(WRITE, node, f".{method}")
        elif method == "sample" and "random_state" not in {k.arg for k in node.keywords}:
            self._side_effect(RANDOM, node, ".sample without random_state")
        elif method in {"eval", "query", "extractall"}:
            self._side_effect(UNSAFE, node, f".{method}")
        elif name.startswith("subprocess."):
            self._shell(node, name)
        elif name == "importlib.import_module":
            self._import_module(node)
        self.generic_visit(node)

    def _opened(self, node: ast.Call, name: str, place: int | None) -> None:
        """An opener reads or writes; with `+`, or a mode that is not a literal, it does both."""
        given = [k.value for k in node.keywords if k.arg == "mode"]
        if place is not None:
            given += node.args[place : place + 1]
        else:
            given += [a for a in node.args if isinstance(a, ast.Constant) and IS_MODE.fullmatch(str(a.value))]
        mode = "r" if not given else given[0].value if isinstance(given[0], ast.Constant) else "r+"
        if "r" in str(mode) or "+" in str(mode) or mode == "U":
            self._side_effect(READ, node, name)
        if any(c in str(mode) for c in "wax+"):
            self._side_effect(WRITE, node, name)

    def _os_open(self, node: ast.Call) -> None:
        used = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} | {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        self._side_effect(WRITE if used & WRITING_FLAGS else READ, node, "os.open")

    def _shell(self, node: ast.Call, name: str) -> None:
        for keyword in node.keywords:
            if keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value):
                self._side_effect(UNSAFE, node, f"{name} with a shell")

    def _import_module(self, node: ast.Call) -> None:
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            self._imported(node.args[0].value, node.lineno)
        else:
            self._side_effect(HIDDEN_IMPORT, node, "importlib.import_module of a computed name")

    # A reference to an opener without a call (`map(open, paths)`) shows no mode, so it counts as reading and writing.

    def generic_visit(self, node: ast.AST) -> None:
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST):
                    continue
                called = isinstance(node, ast.Call) and child is node.func
                if not called and isinstance(child, (ast.Name, ast.Attribute)) and isinstance(child.ctx, ast.Load):
                    name = self._dotted(child)
                    if name in OPENERS or name == "os.open":
                        self._side_effect(READ, child, name)
                        self._side_effect(WRITE, child, name)
                self.visit(child)

    def _is_imported(self, node: ast.AST) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and (node.id in self.aliases or node.id == "builtins")

    def _dotted(self, node: ast.AST) -> str:
        """`pq.read_table` -> `pyarrow.parquet.read_table`; empty for what is not a plain dotted name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.aliases.get(node.id, node.id), *reversed(parts)]).removeprefix("builtins.")

    def _side_effect(self, kind: str, node: ast.AST, name: str) -> None:
        self.effects.append(SideEffect(kind, getattr(node, "lineno", 0), name))
