"""Print which package imports which, as a Mermaid graph and a table, read from the source.

    .venv/bin/python tools/import_graph.py                 the packages of `pipeline/`
    .venv/bin/python tools/import_graph.py OTHER/pipeline  those of another checkout

`docs/decisions/0029-packages-by-idea.md` shows its output for the layout before and after the move to packages.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import architecture

ROOT = Path(__file__).resolve().parent.parent


def read_modules(folder: Path) -> tuple[dict[str, str], frozenset[str]]:
    """Every module below a package's folder: full name -> source; and which of the names are packages."""
    modules, packages = {}, set()
    for path in sorted(folder.rglob("*.py")):
        parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts = parts[:-1]
            packages.add(".".join(parts))
        modules[".".join(parts)] = path.read_text("utf-8")
    return modules, frozenset(packages)


def group_of(module: str, packages: frozenset[str]) -> str:
    """The package below the root that a module belongs to; a module at the root stands for itself."""
    parts = module.split(".")
    group = ".".join(parts[:2])
    return group if group in packages or len(parts) <= 2 else parts[0]


def edges_of(modules: Mapping[str, str], packages: frozenset[str]) -> dict[str, Counter[str]]:
    """Imports between groups: importing group -> imported group -> number of import statements."""
    edges: dict[str, Counter[str]] = defaultdict(Counter)
    for module, source in modules.items():
        here = group_of(module, packages)
        imports, _ = architecture.read_module(source, module, frozenset(modules), module in packages)
        for found in imports:
            there = group_of(found.module, packages)
            if there != here:
                edges[here][there] += 1
    return edges


def levels_of(groups: list[str], edges: Mapping[str, Counter[str]]) -> dict[str, int]:
    """Level of each group: one above the highest group that it imports."""
    levels: dict[str, int] = {}

    def level(group: str, above: tuple[str, ...]) -> int:
        if group in above:
            raise SystemExit("import circle: " + " -> ".join([*above[above.index(group) :], group]))
        if group not in levels:
            levels[group] = 1 + max((level(other, (*above, group)) for other in edges.get(group, ())), default=0)
        return levels[group]

    for group in groups:
        level(group, ())
    return levels


def main(folder: Path) -> str:
    """The graph and the table as Markdown."""
    modules, packages = read_modules(folder)
    edges = edges_of(modules, packages)
    groups = sorted({group_of(module, packages) for module in modules} - {folder.name})
    levels = levels_of(groups, edges)
    files, lines = Counter(), Counter()
    for module, source in modules.items():
        files[group_of(module, packages)] += 1
        lines[group_of(module, packages)] += source.count("\n")
    short = {group: group.partition(".")[2] for group in groups}
    order = sorted(groups, key=lambda group: (-levels[group], group))
    graph = [f"    {short[group]} --> {short[other]}" for group in order for other in sorted(edges.get(group, ())) if other in short]
    rows = [f"| {levels[group]} | `{short[group]}` | {files[group]} | {lines[group]:,} |" for group in order]
    head = ["| level | package or module | files | lines |", "|---|---|---|---|"]
    return "\n".join(["```mermaid", "graph TD", *graph, "```", "", *head, *rows])


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "pipeline") + "\n")
