"""The lines of an order add up to its profit, to the minor unit, in every row of an invented market."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.config.files import load_configs
from pipeline.demo.write import write_demo

LINES = (
    "landed_cost",
    "shipping_cost",
    "referral_fee",
    "closing_fee",
    "advertising_cost",
    "payment_cost",
    "plan_fee",
    "expected_return_loss",
)
LANDED = ("unit_cost", "freight", "duty", "import_vat")


@pytest.mark.parametrize("products", [250, pytest.param(100_000, marks=pytest.mark.soak)])
def test_price_less_every_line_is_the_profit_of_every_row(tmp_path, run, products):
    write_demo(tmp_path / "market", products, 1, 7, "2026-W47")
    plan = "[costs]\npayment_share = 0.029\nplan_fee_units = 300\nassumed_duty_share = 0.30\nreturned_goods_share = 0.20\n"
    result = run(tmp_path / "market" / "dumps" / "2026-W47", plan=plan)
    table = pq.read_table(result.folder / "decisions.parquet", columns=["currency", "price", "net_profit", *LINES, *LANDED])
    digits = load_configs().digits
    scale = np.array([10 ** digits[code or "USD"] for code in table["currency"].to_pylist()])
    cents = {
        name: np.rint(np.nan_to_num(table[name].to_numpy(zero_copy_only=False).astype(float)) * scale).astype(np.int64)
        for name in ("price", "net_profit", *LINES, *LANDED)
    }
    known = ~np.isnan(table["net_profit"].to_numpy(zero_copy_only=False).astype(float))
    assert known.sum() > products / 10
    assert (cents["price"] - sum(cents[name] for name in LINES) == cents["net_profit"])[known].all()
    assert (sum(cents[name] for name in LANDED) == cents["landed_cost"])[known].all()
    assert (cents["plan_fee"][known & (scale == 100)] == 13).any()  # 39.99 over 300 orders is 0.1333
