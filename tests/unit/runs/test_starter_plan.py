"""The plan that `shortlist init` writes, against the default plan."""

import re
import tomllib

import pytest

from pipeline.config.files import load_plan, read_starter_plan

# Keys and sections that are examples: the default plan has no value for them.
EXAMPLES = {"severity", "suppliers", "exchange_rates", "costs.plan_fee_units", "costs.assumed_duty_share"}


def uncommented(text):
    """Every key and section that a seller could switch on, switched on."""
    return re.sub(r"^# (?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)


@pytest.fixture(params=["en", "zh"])
def text(request):
    return read_starter_plan(request.param)


def test_as_written_it_changes_nothing(text, tmp_path):
    (tmp_path / "shortlist.toml").write_text(text, encoding="utf-8")
    assert load_plan(tmp_path / "shortlist.toml").digest() == load_plan().digest()


def test_every_key_shows_its_default(text):
    default, shown = load_plan().model_dump(mode="json"), tomllib.loads(uncommented(text))
    compared = 0
    shown["money"], default["money"] = shown["money"]["USD"], default["money"]["USD"]
    for section in shown.keys() - EXAMPLES:
        held = default[section]
        for key, value in shown[section].items():
            if f"{section}.{key}" not in EXAMPLES:
                assert value == held[key], f"{section}.{key}"
                compared += 1
    assert compared > 25


def test_with_every_key_switched_on_it_is_a_plan(text, tmp_path):
    (tmp_path / "shortlist.toml").write_text(uncommented(text), encoding="utf-8")
    plan = load_plan(tmp_path / "shortlist.toml")
    assert plan.severity == {"suppliers_min": "reject"} and plan.suppliers["S1"].handling_days_max == 1
    assert plan.exchange_rates[0].rate == 0.1404 and plan.costs.plan_fee_units == 300


def test_both_languages_show_the_same_keys_and_values():
    assert tomllib.loads(uncommented(read_starter_plan("en"))) | {"suppliers": 0} == tomllib.loads(uncommented(read_starter_plan("zh"))) | {
        "suppliers": 0
    }
