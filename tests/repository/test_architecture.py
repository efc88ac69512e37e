"""The rules of the architecture: imports go down, there is no import circle, and each side effect is allowed in few packages only.

The tables below are the rules; `tools/architecture.py` reads the code. Each new module needs a line in `RANKS`, so that its author
decides what it may import.
"""

from __future__ import annotations

import ast
import doctest
from fnmatch import fnmatchcase
from pathlib import Path

import architecture
import pytest
import side_effects

PACKAGE = "pipeline"

# From the top down, one level a line; a module imports from lower levels only. `runs/*` is the package and all modules in it; modules of
# one package may import each other.
RANKS = (
    ("__main__",),
    ("cli/*",),
    ("unattended/*",),
    ("training/*",),
    ("runs/*",),
    ("demo/*",),
    ("publish/documents",),
    ("publish/report/*",),
    ("publish/workbooks/*",),
    ("publish/view/*",),
    ("publish/text/*",),
    ("publish/tables/*",),
    ("publish",),
    ("week",),
    ("store/*",),
    ("engine",),
    ("stages/fitted_models",),
    ("stages/rules/*",),
    ("stages/score/*",),
    ("stages/margin/*",),
    ("stages/offers/*",),
    ("stages/returns/*",),
    ("stages/prices/*",),
    ("stages/records/*",),
    ("stages/categories/*",),
    ("stages/text/*",),
    ("stages",),
    ("ingest/dump",),
    ("ingest/price_reading",),
    ("ingest/reading",),
    ("ingest/block_reading",),
    ("ingest/set_aside",),
    ("ingest/accounts", "ingest/prefetch", "ingest/seller_decisions", "ingest/labelled_listings"),
    ("ingest/rows/*",),
    ("ingest/lines/*",),
    ("ingest/header/*",),
    ("ingest/containers/*",),
    ("ingest/sources/*",),
    ("ingest/cells/*",),
    ("ingest",),
    ("costs/*",),
    ("config/*",),
    ("messages/*",),
    ("tables/*",),
    ("errors",),
    ("__init__",),
)
# Imports that are forbidden although they go down: (importer, imported, reason).
CLOSED_DOORS = (("stages/*", "ingest/*", "a stage takes tables and does not depend on how they were read"),)

PURE = ("stages/*", "week", "costs/*", "messages/*", "config/plan", "tables/*", "errors")
EVERYWHERE_BUT = {  # side effect: the packages where it is allowed
    side_effects.READ: ("ingest/*", "config/files", "store/*"),
    side_effects.WRITE: ("store/*", "runs/log"),
    side_effects.PRINT: ("cli/output",),
    side_effects.NETWORK: ("unattended/notify",),
    side_effects.UNSAFE: (),
    side_effects.UNSTABLE: (),
    side_effects.HIDDEN_IMPORT: (),
}
# side effect: the modules where it is forbidden
NOWHERE_IN = dict.fromkeys((side_effects.CLOCK, side_effects.ENVIRONMENT, side_effects.RANDOM), PURE)
WHY = {
    side_effects.READ: "files are opened for reading only in ingest/, config/files.py and store/",
    side_effects.WRITE: "files are written only through store/ and the run log",
    side_effects.PRINT: "only cli/output.py prints",
    side_effects.NETWORK: "only unattended/notify.py uses a network",
    side_effects.UNSAFE: "no text or bytes are run as code, and no command through a shell",
    side_effects.UNSTABLE: "hash() of a text differs between processes",
    side_effects.HIDDEN_IMPORT: "this test must be able to read each import: write the module's name",
    side_effects.CLOCK: "a pure module reads no clock",
    side_effects.ENVIRONMENT: "a pure module does not depend on the machine",
    side_effects.RANDOM: "a pure module uses no random source",
}

# (module, side effect, name as reported): why it is allowed. An entry that is no longer needed fails the test.
EXCEPTIONS: dict[tuple[str, str, str], str] = {
    ("publish/workbooks/sourcing", side_effects.WRITE, "xlsxwriter.Workbook"): "a workbook in memory; store/ writes its bytes",
    ("unattended/notify", side_effects.WRITE, "os.write"): "the process that sends notifications answers through a pipe, not a file",
    ("publish/workbooks/shortlist_workbook", side_effects.WRITE, "xlsxwriter.Workbook"): "a workbook in memory; store/ writes its bytes",
    ("publish/report/page", side_effects.READ, "jinja2.DictLoader"): "from a dictionary; config/files.py reads the templates",
}


def short(module: str) -> str:
    """`pipeline.stages.prices` -> `stages/prices`, as the tables above name it."""
    return module.removeprefix(PACKAGE).lstrip(".").replace(".", "/") or "__init__"


def fits(module: str, patterns: tuple[str, ...]) -> bool:
    """Whether a short name matches one of the patterns; `publish/*` matches the package itself too."""
    return any(fnmatchcase(module, p) or p == f"{module}/*" for p in patterns)


def rank(module: str) -> int | None:
    """Level of a short name, counted from the top; None where it has no line in `RANKS`."""
    return next((level for level, patterns in enumerate(RANKS) if fits(module, patterns)), None)


def complaints(modules: dict[str, str], packages: frozenset[str] = frozenset(), exceptions=EXCEPTIONS) -> list[str]:
    """Every violation of the rules in the modules (full name -> source), one line each; `packages` are folders."""
    known = frozenset(modules)
    found, graph, excused = [], {}, set()
    for module, source in modules.items():
        here = short(module)
        imports, done = architecture.read_module(source, module, known, module in packages)
        graph[module] = {i.module for i in imports} - {module}
        if rank(here) is None:
            found.append(f"{here}: has no rank; give it a line in RANKS")
            continue
        for imported in imports:
            found += import_complaints(here, short(imported.module), imported.line)
        for effect in done:
            if effect.kind in EVERYWHERE_BUT:
                forbidden = not fits(here, EVERYWHERE_BUT[effect.kind])
            else:
                forbidden = fits(here, NOWHERE_IN[effect.kind])
            if forbidden and (here, effect.kind, effect.name) in exceptions:
                excused.add((here, effect.kind, effect.name))
            elif forbidden:
                found.append(f"{here}:{effect.line}: {effect.name} ({effect.kind}): {WHY[effect.kind]}")
    found += ["import circle: " + " -> ".join(map(short, circle)) for circle in architecture.circles(graph)]
    found += [f"EXCEPTIONS: {entry} is no longer needed" for entry in exceptions if entry not in excused]
    return found


def import_complaints(importer: str, imported: str, line: int) -> list[str]:
    """What is wrong with one import between two short names."""
    above, below = rank(importer), rank(imported)
    for who, what, why in CLOSED_DOORS:
        if fits(importer, (who,)) and fits(imported, (what,)):
            return [f"{importer}:{line}: imports {imported}: {why}"]
    if above is None or below is None or above < below:
        return []
    together = above == below and "*" in RANKS[above][0]
    return [] if together else [f"{importer}:{line}: imports {imported}, which is not on a lower level"]


def read_package(folder: Path) -> tuple[dict[str, str], frozenset[str]]:
    """Every module of the package on disk: full name -> source, and which of them are folders."""
    modules, packages = {}, set()
    for path in sorted(folder.rglob("*.py")):
        parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts = parts[:-1]
            packages.add(".".join(parts))
        modules[".".join(parts)] = path.read_text("utf-8")
    return modules, frozenset(packages)


def test_the_package_keeps_the_rules_of_the_architecture(root):
    modules, packages = read_package(root / PACKAGE)
    assert len(modules) > 5
    assert complaints(modules, packages) == []


LONGEST_FUNCTION, MOST_PARAMETERS, LONGEST_MODULE = 60, 6, 330  # lines, without self; lines


def test_functions_are_short_and_take_few_parameters(root):
    found = []
    for module, source in read_package(root / PACKAGE)[0].items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                names = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)} - {"self", "cls"}
                # An option of a command is a parameter of its function: click hands them over so.
                if len(names) > MOST_PARAMETERS and not module.startswith("pipeline.cli."):
                    found.append(f"{module}.{node.name}: {len(names)} parameters")
                if node.end_lineno - node.lineno >= LONGEST_FUNCTION:
                    found.append(f"{module}.{node.name}: {node.end_lineno - node.lineno + 1} lines")
    assert found == []


def test_every_package_says_what_it_is_for_and_what_it_may_import(root):
    modules, packages = read_package(root / PACKAGE)
    lacking = [name for name in packages if "import" not in (ast.get_docstring(ast.parse(modules[name])) or "")]
    assert lacking == []


def test_the_root_holds_packages_and_at_most_six_files(root):
    assert len(list((root / PACKAGE).glob("*.py"))) <= 6
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in (root / PACKAGE).rglob("*.py")}
    for folder in {path.parent for path in lines}:
        assert sum(count for path, count in lines.items() if path.parent == folder) <= 0.14 * sum(lines.values()), folder
    assert [path for path, count in lines.items() if count > LONGEST_MODULE] == []


# The checker itself: each forbidden statement is found, a similar allowed one is not.


def in_module(name: str, source: str) -> list[str]:
    return complaints({f"{PACKAGE}.{name}": source}, exceptions={})


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("week", "open('a')"),
        ("week", "with open('a', 'rb') as f: pass"),
        ("week", "from pathlib import Path\nPath('a').read_text()"),
        ("week", "p.read_bytes()"),
        ("week", "p.open()"),
        ("week", "texts = map(open, paths)"),
        ("week", "import io\nio.open('a')"),
        ("week", "import os\nos.open('a', os.O_RDONLY)"),
        ("week", "import pyarrow.parquet as pq\npq.read_table('a')"),
        ("week", "import pyarrow.parquet\npyarrow.parquet.ParquetFile('a')"),
        ("week", "from pyarrow.parquet import read_table as get\nget('a')"),
        ("week", "from pyarrow import parquet\nf = partial(parquet.read_table, 'a')"),
        ("week", "import pyarrow as pa\npa.memory_map('a')"),
        ("week", "import pyarrow.csv\npyarrow.csv.open_csv('a')"),
        ("week", "from pyarrow import csv\ncsv.read_csv('a')"),
        ("week", "import pandas as pd\npd.read_csv('a')"),
        ("week", "import pandas as pd\npd.read_parquet('a')"),
        ("week", "import zipfile\nzipfile.ZipFile('a')"),
        ("week", "def f():\n    import pandas as pd\n    return pd.read_csv('a')"),
    ],
)
def test_reading_a_file_outside_the_allowed_packages_is_found(module, source):
    assert [c for c in in_module(module, source) if "(read)" in c]
    assert not [c for c in in_module("ingest.dump", source) if "(read)" in c]
    assert not [c for c in in_module("config.files", source) if "(read)" in c]


@pytest.mark.parametrize(
    "source",
    [
        "open('a', 'w')",
        "open('a', mode='ab')",
        "open('a', 'x')",
        "open('a', 'r+')",
        "open('a', mode)",
        "p.open('wb')",
        "p.write_text('')",
        "p.write_bytes(b'')",
        "p.mkdir(parents=True)",
        "p.touch()",
        "p.rename(q)",
        "p.replace(q)",
        "p.unlink(missing_ok=True)",
        "p.symlink_to(q)",
        "import os\nos.replace('a', 'b')",
        "import os\nos.open('a', os.O_WRONLY | os.O_CREAT)",
        "from os import makedirs\nmakedirs('a')",
        "import shutil\nshutil.rmtree('a')",
        "from shutil import rmtree\nrmtree('a')",
        "import tempfile\ntempfile.mkdtemp()",
        "import filelock\nfilelock.FileLock('a')",
        "import pyarrow.parquet as pq\npq.write_table(t, 'a')",
        "import pyarrow.parquet as pq\nwith pq.ParquetWriter('a', s) as w: pass",
        "import pyarrow.csv as c\nc.write_csv(t, 'a')",
        "import pyarrow.dataset as ds\nds.write_dataset(t, 'a')",
        "frame.to_parquet('a')",
        "frame.to_csv('a')",
        "frame.to_csv(path_or_buf='a')",
        "import numpy as np\nnp.save('a', x)",
    ],
)
def test_writing_a_file_outside_the_store_is_found(source):
    for module in ("week", "runs.week_run", "publish.tables.ledger", "ingest.dump", "config.files", "cli"):
        assert [c for c in in_module(module, source) if "(write)" in c], module
    assert in_module("store.files", source) == []


@pytest.mark.parametrize(
    "source",
    [
        "text.replace('a', 'b')",
        "frame.replace({1: 2})",
        "frame.rename(columns={'a': 'b'})",
        "column.rename('price')",
        "from dataclasses import replace\nreplace(plan, top=3)",
        "when.replace(hour=0)",
        "frame.to_csv(index=False)",
        "frame.to_json()",
        "opened = fact.open_price",
        "import pyarrow.parquet as pq\ndef f(file: pq.ParquetFile) -> pq.ParquetWriter: ...",
        "reads = 'open(a)'  # open('a', 'w')",
        "from datetime import date\nday = date(2026, 11, 22)",
        "from pathlib import Path\nname = Path('a/b').name",
        "import os.path\nos.path.join('a', 'b')",
        "import re\nre.compile('a')",
        "time = week.sunday\ntime.year",
        "import urllib.parse\nurllib.parse.quote('a')",
        "from sklearn.linear_model import LogisticRegression\nLogisticRegression(random_state=0)",
        "frame.sample(3, random_state=1)",
        "table.hash",
        "import logging\nlogging.getLogger('x').info('y')",
    ],
)
def test_a_similar_allowed_statement_is_accepted(source):
    assert in_module("week", source) == []
    assert in_module("stages.prices.steps", source) == []


@pytest.mark.parametrize(
    "source",
    [
        "print('a')",
        "import builtins\nbuiltins.print('a')",
        "list(map(print, rows))",
        "import click\nclick.echo('a')",
        "from click import secho as say\nsay('a')",
        "import sys\nsys.stdout.write('a')",
        "from sys import stderr\nstderr.write('a')",
        "import traceback\ntraceback.print_exc()",
    ],
)
def test_a_print_outside_the_command_line_is_found(source):
    assert [c for c in in_module("runs.week_run", source) if "only cli/output.py prints" in c]
    assert [c for c in in_module("cli.running", source) if "(print)" in c]
    assert in_module("cli.output", source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import perf_counter\nperf_counter()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as dt\ndt.date.today()",
        "import pandas as pd\npd.Timestamp.now()",
        "import os\nos.environ['A']",
        "from os import environ\nenviron.get('A')",
        "import os\nos.getenv('A')",
        "import random\nrandom.random()",
        "from random import Random\nRandom(1)",
        "import numpy as np\nnp.random.default_rng()",
        "from numpy.random import default_rng\ndefault_rng(1)",
        "frame.sample(3)",
        "import uuid\nuuid.uuid4()",
    ],
)
def test_a_clock_the_environment_or_chance_in_a_stage_is_found(source):
    assert in_module("stages.prices.steps", source) != []
    assert in_module("costs.fees", source) != []
    assert in_module("runs.week_run", source) == []


@pytest.mark.parametrize("source", ["import requests", "from urllib.request import urlopen", "import socket", "import http.client"])
def test_a_network_module_is_found(source):
    assert [c for c in in_module("runs.week_run", source) if "(network)" in c]


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec('1')",
        "frame.eval('a + b')",
        "frame.query('a > 1')",
        "archive.extractall('a')",
        "import pickle",
        "from joblib import load",
        "import pandas as pd\npd.read_pickle('a')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.run('ls', shell=wanted)",
        "import os\nos.system('ls')",
        "hash('a')",
        "import importlib\nimportlib.import_module(name)",
        "from numpy import *",
    ],
)
def test_what_is_allowed_nowhere_is_found(source):
    for module in ("cli", "store", "stages.prices"):
        assert in_module(module, source) != [], module


def test_a_command_without_a_shell_is_accepted():
    assert in_module("runs.week_run", "import subprocess\nsubprocess.run(['ls'], shell=False)") == []


def imports_found(**sources: str) -> list[str]:
    """Complaints about invented modules; `stages__prices` stands for stages/prices."""
    return complaints({f"{PACKAGE}.{name.replace('__', '.')}": source for name, source in sources.items()}, exceptions={})


def test_an_import_downwards_is_accepted_in_every_spelling():
    for line in (
        "from pipeline import tables",
        "import pipeline.tables",
        "from pipeline.tables import KEY",
        "from . import tables",
        "from .tables import KEY",
    ):
        assert imports_found(week=line, tables="") == [], line


def test_an_import_upwards_is_found_in_every_spelling():
    for line in (
        "from pipeline import week",
        "import pipeline.week as w",
        "from pipeline.week import tell",
        "from . import week",
        "from .week import tell",
        "def f():\n    from pipeline import week",
        "if TYPE_CHECKING:\n    from pipeline import week",
        "import importlib\nimportlib.import_module('pipeline.week')",
    ):
        assert [c for c in imports_found(week="", tables=line) if "is not on a lower level" in c], line


def test_modules_on_one_level_import_each_other_only_under_one_pattern():
    assert imports_found(stages__score__a="from pipeline.stages.score import b", stages__score__b="") == []
    assert imports_found(ingest__accounts="from pipeline.ingest import prefetch", ingest__prefetch="") != []
    assert imports_found(stages__score__a="from pipeline.stages.rules import b", stages__rules__b="") != []


def test_a_circle_is_found_and_reported_as_a_path():
    found = imports_found(costs__a="from . import b", costs__b="from . import c", costs__c="from . import a")
    assert found == ["import circle: costs/a -> costs/b -> costs/c -> costs/a"]


def test_a_circle_hidden_in_functions_is_found():
    assert imports_found(costs__a="def f():\n    from . import b", costs__b="from . import a") != []


def test_two_paths_to_one_module_are_no_circle():
    assert (
        imports_found(week="from . import costs, config", costs="from . import config, tables", config="from . import tables", tables="")
        == []
    )


@pytest.mark.parametrize("target", ["ingest.dump", "store.files", "engine", "publish.tables.ledger"])
def test_a_stage_imports_none_of_those_that_touch_files(target):
    modules = {f"{PACKAGE}.stages.prices.steps": f"import {PACKAGE}.{target}", f"{PACKAGE}.{target}": ""}
    assert complaints(modules, exceptions={}) != []


def test_a_stage_may_import_the_plans_frozen_models():
    assert imports_found(stages__rules="from pipeline.config.plan import Plan", config__plan="") == []


def test_a_module_without_a_rank_is_refused():
    assert imports_found(utils="") == ["utils: has no rank; give it a line in RANKS"]


def test_a_folders_own_file_resolves_its_relative_imports_inside_the_folder():
    modules = {f"{PACKAGE}.costs": "from . import fees", f"{PACKAGE}.costs.fees": ""}
    assert complaints(modules, frozenset({f"{PACKAGE}.costs"}), exceptions={}) == []


def test_an_exception_excuses_one_side_effect_and_is_refused_once_nothing_needs_it():
    modules = {f"{PACKAGE}.week": "open('a')\nopen('b', 'w')"}
    excused = {("week", side_effects.READ, "open"): "invented", ("week", side_effects.WRITE, "open"): "invented"}
    assert complaints(modules, exceptions=excused) == []
    assert complaints({f"{PACKAGE}.week": ""}, exceptions=excused) == [f"EXCEPTIONS: {entry} is no longer needed" for entry in excused]


def test_every_exception_has_its_reason():
    assert all(reason.strip() for reason in EXCEPTIONS.values())


def test_the_examples_in_the_checkers_own_docstrings_hold():
    assert doctest.testmod(architecture).failed == 0
