"""Columns of numbers to columns of text, the way exports write them; a million at a time. Null is an empty cell."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.demo.catalog import COLOURS
from pipeline.demo.market import Flag, Market, Real, Whole
from pipeline.demo.trade import PLATFORMS

_TWO_DIGITS = pa.array([f"{n:02d}" for n in range(100)])
_THREE_DIGITS = pa.array([f"{n:03d}" for n in range(1000)])
_HUNDREDTHS = pa.array([f"{n / 100:g}" for n in range(101)])
_TENTHS = pa.array([f"{n / 10:g}" for n in range(51)])
_TEN_THOUSANDTHS = pa.array([f"{n / 10_000:g}" for n in range(10_001)])


def join(*parts: pa.Array | str, separator: str = "") -> pa.Array:
    """Put the parts of each row together; a missing part is nothing at all."""
    columns = [part if isinstance(part, pa.Array) else pa.scalar(part) for part in parts]
    return pc.binary_join_element_wise(*columns, separator, null_handling="replace", null_replacement="")


def only(text: pa.Array, where: Flag) -> pa.Array:
    """The text where `where` holds, else null."""
    return pc.if_else(pa.array(where), text, pa.scalar(None, pa.string()))


def constant(value: str, size: int) -> pa.Array:
    """One value in every row."""
    return pa.repeat(pa.scalar(value), size)


def nothing(size: int) -> pa.Array:
    """Empty cells."""
    return pa.nulls(size, pa.string())


def keepa_paths(paths: pa.Array) -> pa.Array:
    """Category paths with Keepa's separator."""
    return pc.replace_substring(paths, " > ", " › ")


def roots(paths: pa.Array) -> pa.Array:
    """The first segment of Keepa's paths."""
    return pc.replace_substring_regex(paths, " › .*", "")


def pick(words: tuple[str, ...] | pa.Array, index: Whole) -> pa.Array:
    """The words at these positions; a negative position is null."""
    lookup = words if isinstance(words, pa.Array) else pa.array(words, pa.string())
    return lookup.take(pa.array(index, mask=index < 0))


def whole(numbers: Whole) -> pa.Array:
    """Whole numbers; a negative one is null."""
    return pa.array(numbers, pa.int64(), mask=numbers < 0).cast(pa.string())


def padded(numbers: Whole, width: int) -> pa.Array:
    """Whole numbers with leading zeros."""
    return pc.utf8_lpad(whole(numbers), width, padding="0")


def prefixed_where(prefix: str, words: pa.Array, where: Flag) -> pa.Array:
    """The words, with a prefix in the rows where `where` holds."""
    return pc.if_else(pa.array(where), join(prefix, words), words)


def money(cents: Whole, least: int = 1) -> pa.Array:
    """`24.99`; null below `least`: no price is not a price of nothing."""
    known = np.maximum(cents, 0)
    return only(join(whole(known // 100), ".", _TWO_DIGITS.take(pa.array(known % 100))), cents >= least)


def keepa_money(cents: Whole, least: int = 1) -> pa.Array:
    """`1,034.95 -409`: thousands marked, the locale code that a re-saved Keepa export leaves behind; null below `least`."""
    dollars = np.maximum(cents, 0) // 100
    front = only(join(whole(dollars // 1000), ","), dollars >= 1000)
    back = pc.if_else(pa.array(dollars >= 1000), _THREE_DIGITS.take(pa.array(dollars % 1000)), whole(dollars % 1000))
    return only(join(front, back, ".", _TWO_DIGITS.take(pa.array(np.maximum(cents, 0) % 100)), " -409"), cents >= least)


def rounded(values: Real) -> Whole:
    """Nearest whole number, -1 where there is none (NaN)."""
    return np.where(np.isnan(values), -1, np.rint(values)).astype(np.int64)


def tenths(numbers: Whole) -> pa.Array:
    """Tenths 0 to 50 as `4.3`; a negative one is null."""
    return pick(_TENTHS, numbers)


def hundredths(shares: Real) -> pa.Array:
    """A share 0..1 with two decimals, `0.15`; NaN is null."""
    return pick(_HUNDREDTHS, rounded(shares * 100))


def ten_thousandths(shares: Real) -> pa.Array:
    """A share 0..1 with four decimals, `0.1501`; NaN is null."""
    return pick(_TEN_THOUSANDTHS, rounded(shares * 10_000))


def dates(market: Market, days: Whole, has: Flag | None = None) -> pa.Array:
    """`2026-11-22` for each day number; null where `has` does not hold."""
    first = int(days.min(initial=0))
    last = int(days.max(initial=0))
    lookup = pa.array([market.calendar.date(day).isoformat() for day in range(first, last + 1)])
    text = lookup.take(pa.array(days - first))
    return text if has is None else only(text, has)


def excel_days(market: Market, days: Whole) -> pa.Array:
    """Days since 1899-12-30, as spreadsheets store dates."""
    return whole(days + (market.calendar.first_day - dt.date(1899, 12, 30)).days)


def yes_no(flags: Flag) -> pa.Array:
    """`yes` or `no`."""
    return pick(("no", "yes"), flags.astype(np.int64))


def fixed(letters: npt.NDArray[np.uint8]) -> pa.Array:
    """Rows of bytes, all of one length, as text."""
    rows, width = letters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters))]
    return pa.StringArray.from_buffers(rows, buffers[1], buffers[2])


def digits(numbers: Whole, width: int) -> npt.NDArray[np.int64]:
    """Decimal digits, shape (n, width)."""
    return (numbers[:, None] // 10 ** np.arange(width - 1, -1, -1)) % 10


def ean13(numbers: Whole, prefix: int, is_valid: Flag) -> pa.Array:
    """`prefix` (four digits), the number in eight digits, and the check digit, which is off by one where not `is_valid`."""
    first = digits(prefix * 10**8 + numbers, 12)
    check = -(first * np.where(np.arange(12) % 2, 3, 1)).sum(axis=1) % 10
    check = np.where(is_valid, check, (check + 1) % 10)
    return fixed((np.column_stack([first, check]) + ord("0")).astype(np.uint8))


def gtins(market: Market, rows: Whole, separator: str) -> pa.Array:
    """Codes of the products: none, one, or (one in fifty) two."""
    products = market.products
    number = products.gtin[rows]
    one = ean13(np.maximum(number, 0), 2000, products.has_valid_gtin[rows])
    two = join(one, separator, ean13(np.maximum(number, 0), 2001, np.ones(len(rows), dtype=bool)))
    return only(pc.if_else(pa.array(number % 50 == 0), two, one), number >= 0)


def _pack(form: Whole, pack: Whole) -> pa.Array:
    number = whole(pack)
    worded = [join("Set of ", number), join(number, " Pack"), join("Pack of ", number)]
    return only(pc.choose(pa.array(form), *worded), pack > 1)


def _after(separator: str, part: pa.Array) -> pa.Array:
    return only(join(separator, part), part.is_valid().to_numpy(zero_copy_only=False))


def titles(market: Market, rows: Whole) -> pa.Array:
    """What a listing calls itself: brand, words of its line, pack, colour, in one of three orders."""
    products, catalogue = market.products, market.catalogue
    brand = only(join(pick(market.brands, products.brand[rows]), " "), products.is_brand_in_title[rows])
    adjective = pick(catalogue.adjectives.words, products.adjective[rows])
    material = pick(catalogue.materials.words, products.material[rows])
    noun = pick(catalogue.nouns.words, products.noun[rows])
    feature = pick(catalogue.features.words, products.feature[rows])
    form = products.form[rows]
    forms = [
        join(adjective, " ", material, " ", noun, _after(", ", feature)),
        join(noun, _after(" ", feature), ", ", adjective, " ", material),
        join(material, " ", noun, " - ", adjective, _after(", ", feature)),
    ]
    pack = _after(", ", _pack(form, products.pack[rows]))
    colour = _after(", ", pick(COLOURS, products.colour[rows]))
    return join(brand, pc.choose(pa.array(form), *forms), pack, colour)


def offer_titles(market: Market, rows: Whole, pack: Whole) -> pa.Array:
    """What a supplier calls the same goods."""
    products, catalogue = market.products, market.catalogue
    material = pick(catalogue.materials.words, products.material[rows])
    noun = pick(catalogue.nouns.words, products.noun[rows])
    return join(material, " ", noun, _after(", ", _pack(products.form[rows], pack)))


def parents(market: Market, rows: Whole) -> pa.Array:
    """Ids of the variation families, null for products that stand alone."""
    parent = market.products.parent[rows]
    return only(fixed(market.asins(np.maximum(parent, 0))), parent >= 0)


def supplier_ids(suppliers: Whole) -> pa.Array:
    """`SUP-0012`."""
    return join("SUP-", padded(suppliers + 1, 4))


def platform_names(platforms: Whole) -> pa.Array:
    """Where a supplier sells; null where it does not say."""
    return only(pick(PLATFORMS, platforms), platforms < len(PLATFORMS) - 1)


def csv_bytes(table: pa.Table) -> bytes:
    """Rows of text columns as CSV, without a header: minimal quoting, LF, the last line ended."""
    cells = []
    for column in table.columns:
        text = column.combine_chunks().fill_null("")
        values = text.buffers()[2]
        if values is not None and any(mark in values.to_pybytes() for mark in (b",", b'"', b"\n")):
            quoted = join('"', pc.replace_substring(text, '"', '""'), '"')
            text = pc.if_else(pc.match_substring_regex(text, '[",\n]'), quoted, text)
        cells.append(text)
    lines = join(pc.binary_join_element_wise(*cells, ","), "\n")
    if isinstance(lines, pa.ChunkedArray):
        lines = lines.combine_chunks()
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return lines.buffers()[2][int(offsets[0]) : int(offsets[-1])].to_pybytes() if len(lines) else b""


def csv_header(names: list[str]) -> bytes:
    """The header line; a name with a comma stands in quotes."""
    return (",".join(f'"{name}"' if "," in name else name for name in names) + "\n").encode()
