"""Days and prices out of eight bytes at a time: every day of the century, and no other text."""

import datetime as dt

import numpy as np

from pipeline.ingest.lines.price_cells import read_days, read_prices


def words(texts):
    """The eight bytes from each text's begin and the eight behind, and its size; behind a text stand commas."""
    pairs = np.array([text.ljust(16, b",")[:16] for text in texts], "S16").view("<u8").reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1], np.array([len(text) for text in texts])


def test_every_day_of_the_century_is_read_and_no_day_that_is_none():
    first = dt.date(2000, 1, 1).toordinal()
    days = [dt.date.fromordinal(first + place) for place in range(36_525)]
    assert days[-1] == dt.date(2099, 12, 31)
    found, is_day = read_days(*words([str(day).encode() for day in days]))
    assert is_day.all()
    assert found.tolist() == [(day - dt.date(1970, 1, 1)).days for day in days]
    every = {f"20{year:02d}-{month:02d}-{day:02d}" for year in range(100) for month in range(14) for day in range(33)}
    wrong = sorted(every - {str(day) for day in days})
    assert not read_days(*words([text.encode() for text in wrong]))[1].any()


def test_a_day_with_one_byte_changed_is_no_day_unless_it_is_another_one():
    right = b"2026-11-20"
    texts = [right[:place] + bytes([byte]) + right[place + 1 :] for place in range(10) for byte in range(256)]
    found, is_day = read_days(*words(texts))
    for text, day, told in zip(texts, found.tolist(), is_day.tolist(), strict=True):
        try:
            wanted = (dt.date.fromisoformat(text.decode("ascii")) - dt.date(1970, 1, 1)).days if text[:2] == b"20" else None
        except ValueError:
            wanted = None
        assert (day if told else None) == wanted, text


def test_a_price_with_one_byte_changed_is_no_price_unless_it_is_another_one():
    texts = [right[:place] + bytes([byte]) + right[place + 1 :] for right in (b"21.36", b"9.5", b"123", b"12345.67", b"123456.7")
             for place in range(len(right)) for byte in range(256)]  # fmt: skip
    front, _, size = words(texts)
    cents, is_price = read_prices(front, size)
    for text, told, taken in zip(texts, cents.tolist(), is_price.tolist(), strict=True):
        before, dot, after = text.partition(b".")
        plain = before.isdigit() and (after.isdigit() and len(after) <= 2 if dot else len(before) <= 6)
        wanted = int(before) * 100 + int(after.ljust(2, b"0") or b"0") if plain else 0
        assert (told if taken else 0) == wanted, text
