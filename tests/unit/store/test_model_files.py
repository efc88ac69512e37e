"""Model files: what was kept is read back, and anything else is refused in one line."""

import json

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.stages.returns.prior import ReturnCounts, fit_returns
from pipeline.store.data_folder import DataFolder
from pipeline.store.model_files import Trained, keep_model, load_models, packed

SOLD = np.array([10, 20, 30])
MODEL = fit_returns(
    ReturnCounts(
        SOLD, np.array([1, 0, 3]), np.full(3, "toys", dtype=object), np.full(3, 0.035), SOLD * 100.0, np.full(3, "USD", dtype=object)
    )
)

CARD = {"data": {"orders": 60, "to": "2026-09-22"}}


@pytest.fixture
def data(tmp_path):
    folder = DataFolder(tmp_path)
    keep_model(folder, Trained("returns", packed("returns", MODEL), CARD, []))
    return folder


def rewritten(data, change):
    """Change the model file and let its card name the new content."""
    path = data.model("returns") / "returns.json"
    told = json.loads(path.read_bytes())
    changed = change(told)
    content = json.dumps(told if changed is None else changed).encode()
    path.write_bytes(content)
    card = data.model("returns") / "model.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"sha256": Trained("returns", content, {}, []).digest}))


def test_a_kept_model_is_read_back_with_its_hash_and_card(data):
    found = load_models(data)
    assert found.returns == MODEL and found.prices is None
    assert found.digests == {"returns": Trained("returns", packed("returns", MODEL), {}, []).digest}
    assert found.cards["returns"]["data"] == CARD["data"]


def test_without_a_model_there_is_none(tmp_path):
    found = load_models(DataFolder(tmp_path))
    assert found.returns is None and found.digests == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda told: told.update(version=0), "form 0, wanted 1"),
        (lambda told: told.update(format="pickle"), "not a returns model"),
        (lambda told: told.update(kind="prices"), "not a returns model"),
        (lambda told: told["model"].update(hook="os.system"), "hook: Extra inputs"),
        (lambda told: told["model"].__delitem__("slope"), "slope: Field required"),
        (lambda told: told["model"].update(slope="steep"), "slope: Input should be a valid number"),
        (lambda told: [], "not a returns model"),
    ],
    ids=["old", "foreign", "another kind", "a field too many", "a field too few", "a word for a number", "no object"],
)
def test_an_old_or_foreign_model_is_refused_with_one_line(data, change, why):
    rewritten(data, change)
    with pytest.raises(ModelError) as refused:
        load_models(data)
    line = str(refused.value)
    assert line.startswith("model refused: ") and why in line and line.endswith("run `shortlist train` again") and "\n" not in line
    assert refused.value.exit_code == 10


def test_a_file_that_its_card_does_not_name_is_refused(data):
    path = data.model("returns") / "returns.json"
    path.write_bytes(path.read_bytes().replace(b'"slope": ', b'"slope": 1'))
    with pytest.raises(ModelError, match="not the file that its card names"):
        load_models(data)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_refused(data, content):
    (data.model("returns") / "returns.json").write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load_models(data)


@pytest.mark.parametrize("card", [{}, {"data": []}, {"data": {"to": "last week"}}])
def test_a_card_without_a_last_day_is_refused(data, card):
    path = data.model("returns") / "model.json"
    path.write_text(json.dumps({"sha256": json.loads(path.read_text())["sha256"]} | card))
    with pytest.raises(ModelError, match="names no last day"):
        load_models(data)


def test_a_missing_file_is_refused(data):
    (data.model("returns") / "model.json").unlink()
    with pytest.raises(ModelError, match="train"):
        load_models(data)


def test_a_link_that_leaves_the_folder_is_not_followed(data, tmp_path):
    link = tmp_path / "store" / "models" / "returns" / "current"
    link.unlink()
    link.symlink_to("/etc")
    assert load_models(data).returns is None


def test_the_same_model_is_kept_once_and_a_new_one_takes_over(data, tmp_path):
    keep_model(data, Trained("returns", packed("returns", MODEL), CARD, []))
    other = MODEL.model_copy(update={"slope": 0.25})
    keep_model(data, Trained("returns", packed("returns", other), CARD, []))
    assert load_models(data).returns == other
    kept = [path.name for path in (tmp_path / "store" / "models" / "returns").iterdir()]
    assert len(kept) == 3 and "current" in kept
