"""A product id as a number: exact and reversible where it packs, loud where two would meet."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tables import keys

INVERSE = pow(0x9E3779B97F4A7C15, -1, 1 << 64)
IDS = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), min_size=1, max_size=14), max_size=20)


def slow_key(name):
    """Letter by letter: six bits each, ten letters, then the odd factor; None for an id that does not pack."""
    data = name.encode()
    if len(data) > 10 or any(not 0x21 <= byte <= 0x5F for byte in data):
        return None
    bits = 0
    for place in range(10):
        bits = bits << 6 | (data[place] - 0x20 if place < len(data) else 0)
    return bits * 0x9E3779B97F4A7C15 % (1 << 64)


@given(names=IDS)
def test_keys_are_those_of_the_slow_twin_and_tell_the_id_again(names):
    found, wide = keys.pack_texts(pa.array(names, pa.string()))
    for name, key in zip(names, found.tolist(), strict=True):
        wanted = slow_key(name)
        assert key == (keys.wide_key(name) if wanted is None else wanted)
        assert (key in wide) == (wanted is None)
    assert keys.unpack(found, wide).to_pylist() == names


@given(names=IDS, buckets=st.integers(1, 70))
def test_a_bucket_is_a_range_of_keys(names, buckets):
    found, _ = keys.pack_texts(pa.array(names, pa.string()))
    for key, bucket in zip(found.tolist(), keys.bucket_of(found, buckets).tolist(), strict=True):
        low, high = keys.bucket_bounds(bucket, buckets)
        assert low <= key < high
    bounds = [keys.bucket_bounds(bucket, buckets) for bucket in range(buckets)]
    assert bounds[0][0] == 0 and bounds[-1][1] == 1 << 64
    assert all(one[1] == other[0] for one, other in zip(bounds, bounds[1:], strict=False))


def test_known_keys_never_change():
    # Kept weeks and the order of every ledger hang on them.
    found, _ = keys.pack_texts(pa.array(["B0EXAMPLE1", "0367672960", "a wide id"]))
    assert [f"{key:016x}" for key in found.tolist()] == ["da77a411bae7bfa5", "04c4ad74b91b04d0", "fd2e66c43ef7fe3f"]
    assert [f"{key * INVERSE % (1 << 64):015x}" for key in found.tolist()[:1]] == ["89097886dc2c951"]


def test_a_part_of_a_column_and_a_column_in_chunks_have_the_same_keys():
    names = pa.array(["B000000001", "B0", "é", "B000000002"])
    whole, _ = keys.pack_texts(names)
    assert keys.pack_texts(names.slice(1, 2))[0].tolist() == whole.tolist()[1:3]
    assert keys.pack_texts(pa.chunked_array([names.slice(0, 1), names.slice(1)]))[0].tolist() == whole.tolist()
    assert keys.pack_texts(names.cast(pa.large_string()))[0].tolist() == whole.tolist()
    assert len(keys.pack_texts(pa.chunked_array([], pa.string()))[0]) == 0


def test_two_ids_under_one_key_stop_the_run(monkeypatch):
    monkeypatch.setattr(keys, "wide_key", lambda name: 1)
    with pytest.raises(AssertionError, match="share the key"):
        keys.pack_texts(pa.array(["one wide id", "another wide id"]))
