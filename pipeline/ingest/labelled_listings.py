"""Labelled listings and product taxonomies that the seller names for training: small files, read strictly as UTF-8."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from pipeline.errors import DumpError

_GOOGLE = re.compile(r"^(\d+) - (.+)$")
_SHOPIFY = re.compile(r"^gid://shopify/TaxonomyCategory/([a-z0-9-]+)\s+: (.+)$")
_BYTES_MAX = 64 << 20


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise DumpError(f"{path.name}: larger than {_BYTES_MAX >> 20} MB; name a smaller file")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DumpError(f"{path.name}: {error.strerror}; name a file that can be read") from None
    except UnicodeDecodeError as error:
        raise DumpError(f"{path.name}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def read_labels(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV with `title` and `department`, beside them `category_path` and `source` if there.

    Raises
    ------
    DumpError
        A column is missing, or the file cannot be read.
    """
    reader = csv.DictReader(_text(path).splitlines(), strict=True)
    try:
        headers = [name.strip().lower() for name in reader.fieldnames or []]
        missing = [name for name in ("title", "department") if name not in headers]
        if missing:
            raise DumpError(
                f"{path.name}: column {missing[0]!r} is missing; wanted title, department and, if you have them, category_path, source"
            )
        rows = []
        for row in reader:
            cells = dict(zip(headers, row.values(), strict=False))
            rows.append({name: str(cells.get(name) or "").strip() for name in ("title", "department", "category_path", "source")})
        return rows
    except csv.Error as error:
        raise DumpError(f"{path.name}: line {reader.line_num}: {error}; correct the line") from None


def read_taxonomy(path: Path) -> tuple[str, list[tuple[str, str]]]:
    """Whose taxonomy it is (google, shopify) and its categories: id, and path with ` > ` between the names.

    Raises
    ------
    DumpError
        No line is of one of the two forms, or a line that is no comment is of neither.
    """
    forms = {"google": _GOOGLE, "shopify": _SHOPIFY}
    found: list[tuple[str, str]] = []
    kind = ""
    for number, raw in enumerate(_text(path).split("\n"), 1):
        line = raw.rstrip("\r")
        if not line.strip() or line.startswith("#"):
            continue
        match = next(((name, form.match(line)) for name, form in forms.items() if kind in ("", name) and form.match(line)), None)
        if match is None or match[1] is None:
            wanted = "'166 - Apparel & Accessories' or 'gid://shopify/TaxonomyCategory/aa : Apparel & Accessories'"
            raise DumpError(f"{path.name}: line {number} is no line of a taxonomy; wanted lines like {wanted}")
        kind = match[0]
        found.append((match[1][1], match[1][2].strip()))
    if not found:
        raise DumpError(f"{path.name}: no category in it; name a taxonomy with ids")
    return kind, found
