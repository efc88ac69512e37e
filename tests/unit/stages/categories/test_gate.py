"""The category gate's laws on invented rows, its refusals, and the columns beside the verdict."""

from __future__ import annotations

import copy
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PlanError
from pipeline.stages.categories.gate import COLUMNS, SEVERITY, CategoryPolicy, classify, compile_rules
from pipeline.stages.text.phrases import plain, words_of

ROOT = Path(__file__).resolve().parents[4]
TABLES: dict[str, dict[str, Any]] = {
    path.stem: tomllib.loads(path.read_text("utf-8")) for path in (ROOT / "configs" / "categories").glob("*.toml")
}
RULES = compile_rules(TABLES)
POLICY = CategoryPolicy()
PATHS = [
    "Home & Kitchen > Storage & Organization",
    "Electronics > Audio",
    "Clothing, Shoes & Jewelry > Men > Shirts",
    "Fashion > Herren > Bekleidung",
    "Pet Supplies > Dogs > Apparel",
    "Toys & Games > Puzzles",
    "Küche, Haushalt & Wohnen > Elektrische Küchengeräte",
    "Luggage & Travel Gear > Suitcases",
    "Sport & Freizeit > Sportelektronik",
    "家電＆カメラ > オーディオ",
    "Warengruppe 7 > Kiste",
    "",
]
BRANDS = ["", "Generic", "Nike", "Fellmora", "LEGO", "NA", "Levi's"]
WORDS = [
    "blue",
    "set",
    "mug",
    "coffee",
    "rack",
    "shirt",
    "usb",
    "charger",
    "nike",
    "lego",
    "for",
    "with",
    "dog",
    "toy",
    "lamp",
    "and",
    "honey",
    "case",
]
RESTRICTED_WORDS = [
    word
    for department in ("electronics", "apparel", "food", "powered")
    for key in ("hard", "soft", "wearable")
    for word in TABLES["title_words"][department].get(key, [])
]
titles = st.lists(st.sampled_from(WORDS + RESTRICTED_WORDS), max_size=8).map(" ".join)
rows = st.tuples(titles, st.sampled_from(BRANDS), st.sampled_from(PATHS))


def frame(*cells: tuple[str | None, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(list(cells), columns=["title", "brand", "category_path"], dtype="str")


def one(title: str | None, brand: str | None, path: str | None, policy: CategoryPolicy = POLICY) -> dict[str, Any]:
    return classify(frame((title, brand, path)), RULES, policy).iloc[0].to_dict()


# Several cases a table: most of a call's time is its beginning.
longer = st.tuples(rows, st.sampled_from(RESTRICTED_WORDS), st.booleans())


@given(cases=st.lists(longer, min_size=1, max_size=16), no_category=st.sampled_from(["pass", "review"]))
@settings(max_examples=60, deadline=None)
def test_one_more_restricted_word_never_makes_a_verdict_milder(
    cases: list[tuple[tuple[str, str, str], str, bool]], no_category: str
) -> None:
    policy = replace(POLICY, no_category=no_category)
    with_word = [(f"{word} {row[0]}" if is_first else f"{row[0]} {word}", *row[1:]) for row, word, is_first in cases]
    plain, told = (
        classify(frame(*some), RULES, policy)["category_verdict"].map(SEVERITY) for some in ([row for row, _, _ in cases], with_word)
    )
    assert (told >= plain).all(), cases


@given(many=st.lists(rows, min_size=1, max_size=12), seed=st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_order_and_siblings_never_matter(many: list[tuple[str, str, str]], seed: Any) -> None:
    table = frame(*many)
    whole = classify(table, RULES, POLICY)
    order = list(range(len(many)))
    seed.shuffle(order)
    pd.testing.assert_frame_equal(classify(table.iloc[order], RULES, POLICY), whole.iloc[order])
    pd.testing.assert_frame_equal(classify(table.iloc[[order[0]]], RULES, POLICY), whole.iloc[[order[0]]])


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


FORMS = {
    "upper case": str.upper,
    "title case": str.title,
    "full width": wide,
    "byte order mark": lambda text: "\ufeff" + text if text else text,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "soft hyphen inside": lambda text: text[:2] + "\u00ad" + text[2:],
}


written = st.tuples(rows, st.sampled_from(sorted(FORMS)), st.sampled_from([" > ", ">", " › ", " » ", " ＞ ", " &gt; "]))


@given(cases=st.lists(written, min_size=1, max_size=16))
@settings(max_examples=50, deadline=None)
def test_case_width_and_separator_never_matter(cases: list[tuple[tuple[str, str, str], str, str]]) -> None:
    def otherwise(row: tuple[str, str, str], form: str, separator: str) -> tuple[str, str, str]:
        title, brand, path = row
        change = FORMS[form]
        return change(title), change(brand), separator.join(change(part) for part in path.split(" > "))

    told = [
        "department",
        "brand_state",
        "brand_key",
        "category_verdict",
        "return_class",
        "fee_category",
        "fee_category_assumed",
    ]
    plain = classify(frame(*(row for row, _, _ in cases)), RULES, POLICY)
    pd.testing.assert_frame_equal(classify(frame(*(otherwise(*case) for case in cases)), RULES, POLICY)[told], plain[told])


def test_a_root_is_found_with_and_without_commas_and_with_the_word_and() -> None:
    for path in ("Clothing Shoes & Jewelry", "clothing, shoes and jewelry", "CLOTHING, SHOES & JEWELRY > Men"):
        assert one("plain", "Nike", path)["category_verdict"] == "reject"


def test_the_index_is_kept_and_missing_cells_are_missing() -> None:
    table = frame((None, None, None), ("Wooden tray", None, "Home & Kitchen > Serveware")).set_axis([7, 3])
    got = classify(table, RULES, POLICY)
    assert list(got.index) == [7, 3]
    assert list(got.columns) == list(COLUMNS)
    assert list(got["category_verdict"]) == ["review", "pass"]
    assert list(got["brand_state"]) == ["missing", "missing"]


def test_no_rows_give_no_rows_with_the_same_columns_and_types() -> None:
    empty, full = classify(frame(), RULES, POLICY), classify(frame(("a", "b", "c")), RULES, POLICY)
    assert empty.shape == (0, len(COLUMNS))
    assert list(empty.dtypes) == list(full.dtypes)


@pytest.mark.parametrize(
    ("field", "row", "default"),
    [
        ("electronics", ("x", "", "Electronics"), "reject"),
        ("food", ("x", "", "Grocery"), "reject"),
        ("supplements", ("x", "", "Health & Household > Vitamins"), "reject"),
        ("apparel_known", ("x", "Nike", "Shoes"), "reject"),
        ("apparel_unknown", ("x", "Fellmora", "Shoes"), "review"),
        ("apparel_missing", ("x", "", "Shoes"), "review"),
        ("apparel_generic", ("x", "Generic", "Shoes"), "pass"),
        ("powered", ("x", "", "Appliances"), "review"),
        ("animal_food", ("x", "", "Pet Supplies > Dog Food"), "review"),
        ("luggage", ("x", "", "Luggage"), "pass"),
        ("licence", ("Disney", "Generic", "Shoes"), "review"),
        ("no_category", ("x", "", ""), "review"),
        ("mismatch", ("bluetooth", "", "Home & Kitchen"), "review"),
    ],
)
def test_each_switch_decides_its_own_case(field: str, row: tuple[str, str, str], default: str) -> None:
    assert one(*row)["category_verdict"] == default
    for verdict in SEVERITY:
        assert one(*row, replace(POLICY, **{field: verdict}))["category_verdict"] == verdict


def test_an_authorised_brand_softens_a_rejected_apparel_to_a_review() -> None:
    policy = replace(POLICY, authorised_brands=frozenset({"NIKE, Inc."}))
    assert one("shirt", "Nike", "Shoes", policy)["category_verdict"] == "review"
    assert one("shirt", "Adidas", "Shoes", policy)["category_verdict"] == "reject"


def test_a_sellers_own_brand_is_known_in_the_column_and_in_the_title() -> None:
    policy = replace(POLICY, known_brands=frozenset({"Fellmora"}))
    assert one("shirt", "FELLMORA GmbH", "Shoes", policy)["category_verdict"] == "reject"
    assert one("fellmora shirt", "Generic", "Shoes", policy)["category_verdict"] == "reject"
    assert one("fellmora shirt", "Generic", "Shoes")["category_verdict"] == "pass"


def test_a_short_or_common_name_counts_in_the_column_alone() -> None:
    assert one("gap between the boards", "Generic", "Shoes")["category_verdict"] == "pass"
    assert one("shirt", "Gap", "Shoes")["category_verdict"] == "reject"


def test_a_title_that_says_by_a_brand_names_it_when_the_cell_is_empty() -> None:
    got = one("Bowl by KitchenAid", "", "Home & Kitchen")
    assert (got["brand_state"], got["brand_key"]) == ("known", "kitchenaid")
    assert one("Lid for KitchenAid bowls", "", "Home & Kitchen")["brand_state"] == "missing"


def test_unlike_spellings_of_a_brand_have_one_key() -> None:
    cells = [
        "Nike",
        "NIKE",
        "nike ",
        "NIKE(ナイキ)",
        "ナイキ",
        "Brand: Nike",
        "Visit the Nike Store",
        "Nike, Inc.",
        "Nike®",
        "ＮＩＫＥ",
    ]
    got = classify(frame(*[("", cell, "") for cell in cells]), RULES, POLICY)
    assert set(got["brand_key"]) == {"nike"}
    unknown = classify(frame(("", "Brand: Fell-Mora Ltd.", ""), ("", "fell mora", "")), RULES, POLICY)
    assert list(unknown["brand_key"]) == ["fell mora", "fell mora"]


@pytest.mark.parametrize(
    ("path", "return_class", "fee", "is_assumed"),
    [
        ("Home & Kitchen > Storage & Organization > Drawer Organizers", "home_kitchen", "home_kitchen", True),
        ("Home & Kitchen > Furniture > Sofas", "home_kitchen", "furniture", False),
        ("Home & Kitchen > Small Appliances > Toasters", "home_kitchen", "appliances_compact", False),
        ("Toys & Games > Puzzles", "toys", "toys_games", True),
        ("Clothing, Shoes & Jewelry > Women > Shoes", "apparel_shoes", "footwear", False),
        ("Clothing, Shoes & Jewelry > Luggage & Travel Gear > Backpacks", "bags_luggage", "backpacks_handbags_luggage", False),
        ("Electronics > Computers & Accessories > Monitors", "computers", "consumer_electronics", True),
        ("Electronics > Headphones", "consumer_electronics", "electronics_accessories", False),
        ("Electronics > Televisions", "consumer_electronics", "consumer_electronics", True),
        ("Patio, Lawn & Garden > Birds > Bird Seed", "pet_garden_office_sports_tools", "lawn_garden", True),
        ("Musical Instruments > Microphones", "consumer_electronics", "musical_instruments_av", True),
        ("Health & Household > Vitamins", "beauty_health", "beauty_health_personal_care", False),
        ("Bücher > Kochen", "books_media", "books", True),
        ("Warengruppe 7", "other", "everything_else", True),
        ("", "other", "everything_else", True),
    ],
)
def test_return_class_and_fee_category_follow_the_path(path: str, return_class: str, fee: str, is_assumed: bool) -> None:
    got = one("plain", "Generic", path)
    assert (got["return_class"], got["fee_category"], got["fee_category_assumed"]) == (return_class, fee, is_assumed)


def test_every_rejection_names_a_segment_a_root_or_the_words() -> None:
    got = classify(frame(("x", "Nike", "Shoes"), ("x", "", "Sport & Freizeit › Sportelektronik")), RULES, POLICY)
    assert got["category_reason"][0] == 'rejected: apparel of the known brand "Nike" in category root "Shoes"'
    assert got["category_reason"][1] == ('rejected: electronics, because of category segment "Sportelektronik" (root "Sport & Freizeit")')
    assert list(got["category_evidence"]) == ["Nike", "Sportelektronik"]


def test_the_digest_follows_the_content_and_not_the_order() -> None:
    changed = copy.deepcopy(TABLES)
    changed["brand_tokens"]["unbranded"].append("neutral")
    assert compile_rules(dict(reversed(TABLES.items()))).digest == RULES.digest
    assert compile_rules(changed).digest != RULES.digest


def broken(file: str, change: Any) -> Mapping[str, Mapping[str, Any]]:
    tables = copy.deepcopy(TABLES)
    change(tables[file])
    return tables


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        (
            "roots",
            lambda t: t["root"][0].update(departement="other"),
            "roots.toml: [[root]] 1: departement: unknown key; did you mean",
        ),
        (
            "roots",
            lambda t: t["root"][0].update(department="gadgets"),
            "roots.toml: [[root]] 1: department: 'gadgets' is none of",
        ),
        ("roots", lambda t: t["root"][0]["official"].append("Grocery"), "'Grocery' stands there twice"),
        ("roots", lambda t: t["root"][0].update(fee_category="cheap"), "fee_category: 'cheap' is none of"),
        ("roots", lambda t: t["root"][1].update(key="Electronics"), "[[root]] 2: key: 'Electronics' stands there twice"),
        ("roots", lambda t: t["root"][0].update(decides="yes"), "decides: wanted true or false"),
        (
            "segments",
            lambda t: t["segment"][0].update(under=["Nowhere"]),
            "segments.toml: [[segment]] 1: under: 'Nowhere' is none of",
        ),
        ("segments", lambda t: t.update(segment=[]), "segments.toml: segment: wanted one or more [[segment]]"),
        ("traps", lambda t: t["trap"][0].update(words="box"), "traps.toml: [[trap]] 1: words: wanted a list of texts"),
        (
            "title_words",
            lambda t: t["food"]["soft"].append("bluetooth"),
            "title_words.toml: [food] soft: 'bluetooth' stands there twice",
        ),
        ("title_words", lambda t: t["food"].update(units=["kg"]), "[food] units: 'kg' is not in hard or soft"),
        ("title_words", lambda t: t["stop"].append(t["stop"][0]), "department: 'food' stands there twice"),
        ("brands", lambda t: t["toy"]["names"].append("Nike"), "brands.toml: [toy] names: 'Nike' stands there twice"),
        ("brands", lambda t: t["toy"].update(aliases={"Nobody": ["X"]}), "aliases.Nobody: no such name in [toy]"),
        ("brands", lambda t: t["apparel"]["aliases"].update({"Adidas": ["Nike"]}), "aliases.Adidas: 'Nike' belongs to 'Nike'"),
        ("brand_tokens", lambda t: t.update(unbrand=[]), "brand_tokens.toml: unbrand: unknown key; did you mean 'unbranded'?"),
        ("fees", lambda t: t["fee"][0].pop("category"), "fees.toml: [[fee]] 1: category: missing"),
    ],
)
def test_a_wrong_table_is_refused_with_file_and_key(file: str, change: Any, told: str) -> None:
    with pytest.raises(PlanError) as refused:
        compile_rules(broken(file, change))
    assert told in str(refused.value)


def test_a_missing_or_an_unknown_file_is_refused_by_name() -> None:
    with pytest.raises(PlanError, match=r"roots\.toml: missing"):
        compile_rules({name: table for name, table in TABLES.items() if name != "roots"})
    with pytest.raises(PlanError, match=r"extra\.toml: unknown file"):
        compile_rules({**TABLES, "extra": {}})


def test_a_wrong_policy_is_refused_by_its_field() -> None:
    with pytest.raises(PlanError, match="luggage: 'maybe' is none of pass, reject, review"):
        CategoryPolicy(luggage="maybe")


def test_an_unverified_root_may_reject_but_never_passes() -> None:
    tables = copy.deepcopy(TABLES)
    by_key = {root["key"]: root for root in tables["roots"]["root"]}
    by_key["HomeAndKitchen"]["unverified"] = ["Kodin tavarat"]
    by_key["Electronics"]["unverified"] = ["Kodin laitteet"]
    got = classify(frame(("x", "", "Kodin tavarat > Kiste"), ("x", "", "Kodin laitteet > Kiste")), compile_rules(tables), POLICY)
    assert list(got["category_verdict"]) == ["review", "reject"]


def test_the_normal_form_keeps_what_tells_two_words_apart() -> None:
    assert plain("Küche ＆ ＢＡＤ\ufeff") == "kuche & bad"
    assert plain("ガ") != plain("カ")
    assert plain("ｶﾞ") == plain("ガ")
    assert words_of("Men's T-Shirt (blue) & cap") == ["mens", "t", "shirt", "blue", "and", "cap"]
