"""Identity of goods in two records: product codes with their check digit, and pack counts in titles."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pandas as pd

from pipeline.tables.columns import Columns, stage

_LENGTHS = {8, 12, 13, 14}


def gtin14(code: str) -> str | None:
    """A GTIN of 8, 12, 13 or 14 digits as 14 digits, or None where length or check digit is wrong (GS1 General Specifications)."""
    if len(code) not in _LENGTHS or not code.isascii() or not code.isdigit():
        return None
    padded = code.zfill(14)
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(padded))
    return padded if total % 10 == 0 and int(padded) else None


def gtins_invalid(gtin: pd.Series) -> pd.Series:
    """Does a cell (codes with a blank between) hold a code that is no GTIN? Missing where the cell is empty."""
    codes, values = pd.factorize(gtin)
    bad = np.array([any(gtin14(code) is None for code in str(cell).split()) for cell in values], dtype=bool)
    found = np.r_[bad, False][codes]
    return pd.Series(pd.arrays.BooleanArray(found, codes < 0), index=gtin.index)


# "set of 4" says it outright; "4 Pack" and the like come second, since another number may stand before the word.
_OUTRIGHT = re.compile(r"\b(?:set|pack|lot|bundle|box|packung|karton)\s+(?:of|von|mit)\s+(\d{1,3})\b", re.IGNORECASE)
_COUNT = re.compile(
    r"(?<![\d.,])\b(\d{1,3})\s*-?\s*(?:er|pack|packs|pk|pcs|pc|piece|pieces|count|ct|stück|teilig)\b"
    r"|\b(?:pack|set)\s*[x×]?\s*(\d{1,3})\b|(?<![\d.,])(\d{1,3})\s*(?:個|个|枚|本|只|件|套|双|包|条装|片装)(?:装|組|セット|入り)?",
    re.IGNORECASE,
)


def pack_count(title: str) -> int | None:
    """How many pieces a title says that one unit holds ("set of 4", "4 Pack", "4er-Set"), or None where it does not say."""
    plain = unicodedata.normalize("NFKC", title)
    found = _OUTRIGHT.search(plain) or _COUNT.search(plain)
    if found is None:
        return None
    count = int(next(group for group in found.groups() if group is not None))
    return count if count > 0 else None


def packs_differ(title: pd.Series, offer_title: pd.Series, pack_quantity: pd.Series) -> pd.Series:
    """Do the listing's title and the offer's (times its pack quantity) name different counts? False where either does not say."""
    wanted, offered = _counts(title), _counts(offer_title)
    times = pack_quantity.fillna(1).to_numpy(dtype=np.int64)
    return pd.Series((wanted > 0) & (offered > 0) & (wanted != offered * times), index=title.index, dtype="boolean")


def _counts(titles: pd.Series) -> np.ndarray:
    codes, values = pd.factorize(titles)
    found = np.array([pack_count(str(title)) or 0 for title in values], dtype=np.int64)
    return np.r_[found, 0][codes]


@stage(
    reads="offer_title pack_quantity title",
    adds="is_pack_suspect",
)
def pack_suspects(candidates: Columns) -> pd.DataFrame:
    """`is_pack_suspect`: do the pack counts of the listing's and the chosen offer's title contradict each other?"""
    differs = packs_differ(candidates["title"], candidates["offer_title"], candidates["pack_quantity"])
    return pd.DataFrame({"is_pack_suspect": differs})
