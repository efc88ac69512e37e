"""`shortlist train`: the seller's records in, a model and its card out, and what the next run makes of it."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from pipeline.demo.write import write_demo
from pipeline.errors import NothingToDo, UsageError
from pipeline.runs.week_run import Options, run_week
from pipeline.training.train import TrainOptions, train


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "market"
    write_demo(folder, 700, 1, 4)
    return folder


def run(market, data):
    return run_week(Options(data=data, dump=market / "dumps" / "2026-W47", workers=1))


def test_a_trained_model_is_used_named_and_told_on_every_row(market, tmp_path):
    dumps = tuple(sorted((market / "dumps").iterdir()))
    before = run(market, tmp_path)
    assert before.manifest["models"] == {}
    assert set(pq.read_table(before.folder / "decisions.parquet")["return_prior"].to_pylist()) == {"configured"}

    trained = train(TrainOptions(tmp_path, dumps))
    assert [one.kind for one in trained] == ["returns", "prices"]
    card = json.loads((tmp_path / "store" / "models" / "returns" / "current" / "model.json").read_text())
    assert card["sha256"] == trained[0].digest and card["data"]["products"] >= 80 and card["data"]["to"] < "2026-09-24"
    assert card["later_orders"]["calibration"] and card["unseen_products"]["model"] < card["unseen_products"]["one_prior"] + 20

    after = run(market, tmp_path)
    assert after.is_new and after.manifest["models"] == {one.kind: one.digest for one in trained}
    # The model was fitted to every mature order of this very dump: none became mature since.
    assert after.manifest["fresh_returns"] == {"orders": 0, "returned": 0, "expected_ppm": 0, "variance_ppm": 0}
    assert after.manifest["run_id"] != before.manifest["run_id"]
    assert set(pq.read_table(after.folder / "decisions.parquet")["return_prior"].to_pylist()) == {"fitted"}
    assert not run(market, tmp_path).is_new


def test_training_again_on_the_same_dumps_gives_the_same_model(market, tmp_path):
    dumps = tuple((market / "dumps").iterdir())
    one = train(TrainOptions(tmp_path, dumps, dry_run=True))
    assert not (tmp_path / "store").exists()
    again = train(TrainOptions(tmp_path, dumps[::-1], dry_run=True))
    assert [(m.kind, m.digest) for m in one] == [(m.kind, m.digest) for m in again]


def test_without_records_there_is_nothing_to_train(make_dump, tmp_path):
    with pytest.raises(NothingToDo, match=r"1 products with orders .* at least 5"):
        train(TrainOptions(tmp_path / "data", (make_dump(),)))


def test_without_a_dump_there_is_nothing_to_train(tmp_path):
    with pytest.raises(NothingToDo, match="no complete dump"):
        train(TrainOptions(tmp_path))


def test_a_dump_without_a_week_needs_one(make_dump, tmp_path):
    dump = make_dump()
    other = dump.rename(dump.parent / "exports")
    with pytest.raises(UsageError, match="names no week"):
        train(TrainOptions(tmp_path / "data", (other,)))


def test_a_model_of_undated_counts_alone_is_taken_by_the_next_run(make_dump, tmp_path):
    named = {"title": "Bamboo tray", "currency": "USD", "price": "20.00", "category_path": "Home & Kitchen > Storage & Organization"}
    rows = [named | {"product_id": f"B0COUNTED{n}", "sold_orders": "40", "returned_orders": str(n)} for n in range(6)]
    dump = make_dump(more={"candidates": rows})
    told = train(TrainOptions(tmp_path / "data", (dump,)))
    assert told[0].card["data"]["to"] == "2026-11-22" and told[0].card["later_orders"] is None
    found = run_week(Options(data=tmp_path / "data", dump=dump, workers=1))
    assert found.manifest["models"]["returns"] == told[0].digest


def test_prices_of_weeks_that_were_run_come_from_the_store_as_of_the_week(tmp_path):
    market, data = tmp_path / "market", tmp_path / "data"
    write_demo(market, 300, 2, 4)
    dumps = sorted((market / "dumps").iterdir())
    named = {one.kind: one for one in train(TrainOptions(tmp_path / "none", tuple(dumps[:1]), dry_run=True))}
    for dump in dumps:
        run_week(Options(data=data, dump=dump, workers=1))
    shutil.copytree(market / "dumps", data / "dumps")
    for path in (data / "dumps").rglob("*price*"):
        path.unlink()

    def card(week):
        return {one.kind: one for one in train(TrainOptions(data, week=week, dry_run=True))}["prices"].card["data"]

    first, both = card(dumps[0].name), card(dumps[1].name)
    assert first["products"] >= named["prices"].card["data"]["products"] > 100
    assert first["prices"] >= named["prices"].card["data"]["prices"]
    assert both["prices"] > first["prices"] and both["to"] > first["to"]
