"""The text model on invented words: what it learns, what it may not do, and how its numbers are kept."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from pipeline.errors import DumpError
from pipeline.ingest.labelled_listings import read_labels, read_taxonomy
from pipeline.stages.categories.gate import SEVERITY, CategoryPolicy, classify, compile_rules
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.store.model_files import packed
from pipeline.training.category_fit import Labelled, branches, fit_categories, merge

FOLDER = Path(__file__).resolve().parents[4] / "configs" / "categories"
RULES = compile_rules({path.stem: tomllib.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.toml")})
# Words of no language, so that only the model can know them.
FOOD = ("zabuki", "morvelo", "tindaro", "kelpuna", "fridolu", "wampeko")
OTHER = ("grolint", "pestrak", "vumdel", "hobrisk", "dremzat", "jolkern")


def labelled(rows_each: int = 180) -> Labelled:
    def titles(words: tuple[str, ...]) -> list[str]:
        pairs = itertools.cycle(itertools.permutations(words, 2))
        return [f"{a} {b} number {place}" for place, (a, b) in zip(range(rows_each), pairs, strict=False)]

    texts = (*titles(FOOD), *titles(OTHER))
    labels = ("food",) * rows_each + ("other",) * rows_each
    sources = tuple(f"shop {place % 3}" for place in range(2 * rows_each))
    return Labelled(texts, labels, sources, (False,) * len(texts), (False,) * len(texts))


@pytest.fixture(scope="module")
def model() -> CategoryModel:
    return fit_categories(labelled())[0]


def verdicts(model: CategoryModel | None, *titles: str, path: str = "") -> list[str]:
    frame = pd.DataFrame({"title": list(titles), "brand": "", "category_path": path}, dtype="str")
    return list(classify(frame, RULES, CategoryPolicy(), model)["category_verdict"])


def test_without_a_category_it_passes_what_it_knows_as_harmless_rejects_food_and_reviews_what_it_does_not_know(
    model: CategoryModel,
) -> None:
    titles = ("grolint pestrak", "zabuki morvelo", "qqxyzzy wwvfrt")
    assert verdicts(model, *titles) == ["pass", "reject", "review"]
    assert verdicts(None, *titles) == ["review"] * 3


def test_a_rejection_names_its_word(model: CategoryModel) -> None:
    frame = pd.DataFrame({"title": ["vumdel zabuki zabuki morvelo"], "brand": "", "category_path": ""}, dtype="str")
    reason = classify(frame, RULES, CategoryPolicy(), model)["category_reason"][0]
    assert "the text model" in reason and any(word in reason for word in FOOD)


def test_a_known_root_is_never_asked(model: CategoryModel) -> None:
    assert verdicts(model, "zabuki morvelo", path="Home & Kitchen > Trays") == ["pass"]


@pytest.mark.parametrize("word", ["usb", "chocolate", "t-shirt", "milk", "protein powder", "led"])
@pytest.mark.parametrize("title", ["grolint pestrak", "zabuki morvelo", "grolint frother", "vumdel zabuki"])
def test_one_more_restricted_word_never_makes_a_verdict_milder(model: CategoryModel, title: str, word: str) -> None:
    plain, before, behind = verdicts(model, title, f"{word} {title}", f"{title} {word}")
    assert min(SEVERITY[before], SEVERITY[behind]) >= SEVERITY[plain]


def test_with_too_few_labelled_titles_nothing_passes_by_the_model() -> None:
    few, card = fit_categories(labelled(40))
    assert card["title_pass_below"] == 0.0
    assert verdicts(few, "grolint pestrak") == ["review"]


def test_the_same_rows_in_any_order_give_the_same_bytes() -> None:
    rows = labelled()
    turned = Labelled(*(tuple(reversed(column)) for column in (rows.texts, rows.labels, rows.sources, rows.is_path, rows.is_caught)))
    one, other = (packed("categories", fit_categories(merge(each))[0]) for each in (rows, turned))
    assert one == other


def test_the_numbers_come_back_from_json_and_a_damaged_file_is_refused(model: CategoryModel) -> None:
    told = model.model_dump(mode="json")
    assert list(CategoryModel.model_validate(told).score(["zabuki grolint"]).probability) == list(
        model.score(["zabuki grolint"]).probability
    )
    for wrong in ({"weights": told["weights"][:-8]}, {"rarity": "%%%"}, {"code": "x"}, {"slope": 0.0}):
        with pytest.raises(ValidationError):
            CategoryModel.model_validate({**told, **wrong})


def test_without_rows_that_are_none_of_the_departments_nothing_is_fitted() -> None:
    with pytest.raises(ValueError, match="none of them"):
        fit_categories(Labelled(("zabuki",), ("food",), ("a",), (False,), (False,)))


def test_a_branch_of_a_taxonomy_is_labelled_by_its_deepest_named_id() -> None:
    rules = [{"department": "food", "google": ["1"]}, {"department": "other", "google": ["3"]}]
    tree = [("1", "Eatables"), ("2", "Eatables > Sweet"), ("3", "Eatables > Bowls"), ("4", "Eatables > Bowls > Deep"), ("5", "Tools")]
    told = branches(rules, tree, "google")
    assert dict(zip(told.texts, told.labels, strict=True)) == {
        "Eatables": "food", "Eatables > Sweet": "food", "Sweet": "food", "Eatables > Bowls": "other", "Bowls": "other",
        "Eatables > Bowls > Deep": "other", "Bowls > Deep": "other", "Deep": "other", "Tools": "other",
    }  # fmt: skip


def test_labels_and_taxonomies_are_read_and_wrong_ones_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("Department,title\nfood,Zabuki\n", encoding="utf-8")
    assert read_labels(tmp_path / "labels.csv") == [{"title": "Zabuki", "department": "food", "category_path": "", "source": ""}]
    (tmp_path / "g.txt").write_text("# Version\n166 - Apparel\n1604 - Apparel > Coats\n", encoding="utf-8")
    assert read_taxonomy(tmp_path / "g.txt") == ("google", [("166", "Apparel"), ("1604", "Apparel > Coats")])
    (tmp_path / "s.txt").write_text("gid://shopify/TaxonomyCategory/aa-1   : Apparel > Coats\n", encoding="utf-8")
    assert read_taxonomy(tmp_path / "s.txt") == ("shopify", [("aa-1", "Apparel > Coats")])
    (tmp_path / "bad.txt").write_text("166 - Apparel\nCoats\n", encoding="utf-8")
    with pytest.raises(DumpError, match="line 2 is no line of a taxonomy"):
        read_taxonomy(tmp_path / "bad.txt")
    (tmp_path / "bad.csv").write_text("title\nZabuki\n", encoding="utf-8")
    with pytest.raises(DumpError, match="column 'department' is missing"):
        read_labels(tmp_path / "bad.csv")
