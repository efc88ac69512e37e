"""The price-history job gives the answer that other engines give, on both forms of a file."""

import datetime as dt

import pytest

from benchmarks import history, history_peers, history_race


@pytest.mark.parametrize("by_day", [False, True], ids=["by product", "by day"])
def test_duckdb_polars_and_pandas_give_the_same_features(tmp_path, by_day):
    csv, out = tmp_path / "prices.csv", tmp_path / "ours.parquet"
    history_race.write_market(csv, 60, 50, by_day)
    told = history.run(csv, out, dt.date(2026, 11, 20))
    assert told == {"lines": 3001, "accepted": 3000, "set_aside": 0, "products": 60}
    for engine, run in history_peers.PEERS.items():
        theirs = tmp_path / f"{engine}.parquet"
        run(csv, theirs, dt.date(2026, 11, 20))
        assert history_race.differences(out, theirs) == [], engine
