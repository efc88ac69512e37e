"""Names of files and folders as file managers and browsers change them."""

from __future__ import annotations

import re

# `acme (1)`, `acme - Copy`, `acme - Copy (2)`, `acme - Kopie`, `acme - 副本`: marks of a second download or copy.
_COPY_MARK = re.compile(r"(?: ?\(\d{1,2}\)| ?[-_ ] ?(?:copy|kopie|copie|copia|副本|のコピー)(?: ?\(?\d{1,2}\)?)?)+$", re.IGNORECASE)


def without_copy_mark(stem: str) -> str:
    """A name without its ending and without the mark of a copy; the name itself where nothing would be left.

    >>> [without_copy_mark(name) for name in ("acme (1)", "acme - Copy", "acme - 副本", "acme", "(1)", "report 2026")]
    ['acme', 'acme', 'acme', 'acme', '(1)', 'report 2026']
    """
    return _COPY_MARK.sub("", stem).rstrip() or stem
