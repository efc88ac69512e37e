"""Columns of a bucket: converted once, read and added as each stage declares."""

import ast
import inspect

import numpy as np
import pandas as pd
import pytest

from pipeline import week
from pipeline.runs.week_run import Options, run_week
from pipeline.tables import frames
from pipeline.tables.columns import Columns, columns_of, stage


def table():
    return Columns(pd.DataFrame({"n": pd.array([1, None, 3], "Int64"), "t": pd.array(["a", None, "c"], "str")}))


def test_a_column_is_converted_once_until_it_is_replaced():
    held = table()
    first, known = frames.whole(held, "n")
    assert first.tolist() == [1, 0, 3] and known.tolist() == [True, False, True]
    assert frames.whole(held, "n")[0] is first
    held.add(pd.DataFrame({"n": pd.array([7, 8, 9], "Int64")}))
    assert frames.whole(held, "n")[0].tolist() == [7, 8, 9]


def test_a_converted_column_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        frames.whole(table(), "n")[0][0] = 5


def test_every_conversion_agrees_with_that_of_a_data_frame():
    frame = pd.DataFrame(
        {
            "w": pd.array([1, None], "Int64"), "r": pd.array([0.5, None], "Float64"), "f": pd.array([True, None], "boolean"),
            "t": pd.array(["a", None], "str"), "d": pd.array([None, None], "Int64"),
        }
    )  # fmt: skip
    held = Columns(frame)
    for convert, name in ((frames.whole, "w"), (frames.real, "r"), (frames.flag, "f"), (frames.text, "t")):
        for one, other in zip(np.atleast_2d(convert(held, name)), np.atleast_2d(convert(frame, name)), strict=True):
            assert [a == b or (a != a and b != b) for a, b in zip(one, other, strict=True)] == [True, True]


def test_a_column_added_again_moves_to_the_end_as_it_did_in_a_data_frame():
    held = table()
    held.add(pd.DataFrame({"n": [1, 2, 3]}))
    assert held.columns == ["t", "n"] and list(held.to_frame().columns) == ["t", "n"]


def test_a_stage_that_reads_or_adds_what_it_does_not_declare_is_refused():
    @stage(reads="n", adds="m")
    def reads_more(held):
        return pd.DataFrame({"m": held["t"]})

    @stage(reads="n", adds="m k")
    def adds_less(held):
        return pd.DataFrame({"m": held["n"]})

    @stage(reads="n", adds="m")
    def loses_rows(held):
        return pd.DataFrame({"m": held["n"][:1]})

    with pytest.raises(KeyError, match="reads 't', which it does not declare"):
        table().run(reads_more)
    with pytest.raises(AssertionError, match="adds_less"):
        table().run(adds_less)
    with pytest.raises(AssertionError, match="loses_rows"):
        table().run(loses_rows)


def test_a_column_that_an_earlier_stage_converted_is_refused_to_a_stage_that_does_not_declare_it():
    @stage(reads="n", adds="m")
    def converts(held):
        return pd.DataFrame({"m": frames.whole(held, "n")[0]})

    @stage(reads="t", adds="k")
    def reads_what_was_converted(held):
        return pd.DataFrame({"k": frames.whole(held, "n")[0]})

    held = table()
    held.run(converts)
    with pytest.raises(KeyError, match="reads 'n', which it does not declare"):
        held.run(reads_what_was_converted)


def test_asking_for_an_undeclared_column_by_in_is_refused():
    @stage(reads="n", adds="m")
    def asks(held):
        return pd.DataFrame({"m": ["t" in held] * len(held)})

    with pytest.raises(KeyError, match="reads 't', which it does not declare"):
        table().run(asks)


def stages_of_a_week():
    """The stages that `week.decide` runs, by the calls in its source."""
    tree = ast.parse(inspect.getsource(week.decide))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "table.run"]
    return [getattr(week, ast.unparse(call.args[0])) for call in calls]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Columns that each stage really read and added while the sample and a Keepa dump were decided, with the types added."""
    root = tmp_path_factory.mktemp("recorded")
    from pathlib import Path

    from pipeline.tables import columns

    sample = Path(__file__).resolve().parents[3] / "data" / "sample"
    read, added = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        view_item, view_converted, add = columns._View.__getitem__, Columns.converted, Columns.add
        current = []

        def run(self, function, *arguments):
            current.append(function.__name__)
            try:
                return original(self, function, *arguments)
            finally:
                current.pop()

        def item(self, name):
            if isinstance(name, str):
                read.setdefault(current[-1], set()).add(name)
            return view_item(self, name)

        def converted(self, kind, name, convert):
            if current:
                read.setdefault(current[-1], set()).add(name)
            return view_converted(self, kind, name, convert)

        def adding(self, more):
            if current:
                added.setdefault(current[-1], {}).update({name: str(more[name].dtype) for name in more.columns})
            return add(self, more)

        original = Columns.run
        patch.setattr(Columns, "run", run)
        patch.setattr(columns._View, "__getitem__", item)
        patch.setattr(Columns, "converted", converted)
        patch.setattr(Columns, "add", adding)
        for form in ("dumps", "keepa"):
            run_week(Options(data=root / form, dump=sample / form / "2026-W47", workers=1))
    return read, added


def test_every_stage_of_a_week_declares_what_it_reads_and_adds(recorded):
    read, added = recorded
    assert len(stages_of_a_week()) == 13
    for function in stages_of_a_week():
        declared, name = columns_of(function), function.__name__
        assert read[name] - declared.optional == declared.reads, name
        assert set(added[name]) == declared.adds, name


def test_added_columns_have_the_type_that_their_name_promises(recorded):
    for name, columns in recorded[1].items():
        for column, kind in columns.items():
            if column.endswith("_cents"):
                assert kind == "Int64", (name, column, kind)
            elif column.startswith(("is_", "has_", "lacks_")):
                assert kind in ("boolean", "bool"), (name, column, kind)
            elif column.endswith(("_share", "_probability", "_margin", "_rate")):
                assert kind == "Float64", (name, column, kind)
