"""Cards of fulfilment and entries of the border: what is wrong with a file is told in one line, and nothing is guessed."""

import copy
import datetime as dt

import pytest

from pipeline.config.files import load_configs
from pipeline.costs.customs import imports_in_force, parse_imports
from pipeline.costs.fulfilment import parse_cards
from pipeline.errors import PlanError

US = load_configs().card_tables["us"]


def cards(change):
    """The American file with a change made to a copy of it."""
    table = copy.deepcopy(dict(US))
    change(table["card"])
    return parse_cards({"us": table}, {"USD": 2})


def small(card):
    return card[1]["tier"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda card: card[0].update(valid_to=dt.date(2026, 1, 15)), "overlap in time or leave a gap; end the first on 2026-01-14"),
        (lambda card: card[0].update(valid_to=dt.date(2026, 1, 13)), "overlap in time or leave a gap"),
        (lambda card: card[0].pop("valid_to"), "overlap in time or leave a gap"),
        (lambda card: card[0].update(valid_from="2024-04-15"), "is no date; write 2026-01-31 without quotes"),
        (lambda card: card[1].update(bands=[50.0, 9.99]), "the bands [50.0, 9.99] do not rise"),
        (lambda card: card[1].update(peak=["15 Oct", "01-14"]), "is no pair of days"),
        (lambda card: card[1].update(colour=1), "unknown key 'colour'"),
        (lambda card: card[1].pop("source"), "'source' is missing"),
        (lambda card: small(card)["steps"].reverse(), "do not rise; write each weight once, the lightest first"),
        (lambda card: small(card)["steps"].pop(), "no fee up to its weight limit; add a step, or `beyond`"),
        (lambda card: small(card)["steps"][0].update(fees=[1.0]), "1 fees [1.0]; wanted one for each of 3 price bands"),
        (lambda card: small(card)["steps"][0].update(fees=[1.0, -1, 2]), "-1 is no amount of money from 0 on"),
        (lambda card: small(card).update(weighs="heavy"), "weighs 'heavy' is unknown; take unit or larger"),
        (
            lambda card: card[1]["tier"][1]["beyond"].update(over_oz=52),
            "steps end at 48 oz, `beyond` begins over 52; wanted neither gap nor",
        ),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(change, words):
    with pytest.raises(PlanError) as refused:
        cards(change)
    message = str(refused.value)
    assert words in message and message.startswith("plan refused: configs/fulfilment/us.toml: ") and "\n" not in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origins": "CN"}, "are no list of country codes"),
        ({"vat": "some"}, "vat 'some' is unknown; take none, at_sale, unknown"),
        ({"valid_to": dt.date(2019, 1, 1)}, "are no span of days"),
        ({"duty_per_item": -3}, "duty_per_item -3 is no amount of money from 0 on"),
        ({"dutty": 3}, "unknown key 'dutty'"),
    ],
)
def test_a_wrong_entry_of_the_border_is_refused_in_one_line(change, words):
    entry = {"origins": ["CN"], "valid_from": dt.date(2020, 1, 1), "vat": "none", "source": "test"} | change
    with pytest.raises(PlanError) as refused:
        parse_imports({"us": {"code": "US", "currency": "USD", "import": [entry]}}, {"USD": 2})
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_an_entry_holds_on_its_first_and_last_day_and_not_beside_them():
    entry = {"origins": ["*"], "valid_from": dt.date(2026, 7, 1), "valid_to": dt.date(2026, 7, 2), "vat": "none", "source": "test"}
    held = parse_imports({"us": {"code": "US", "currency": "USD", "import": [entry]}}, {"USD": 2})
    assert [len(imports_in_force(held, dt.date(2026, 7, day))["US"]) for day in (1, 2, 3)] == [1, 1, 0]
    assert not imports_in_force(held, dt.date(2026, 6, 30))["US"]
