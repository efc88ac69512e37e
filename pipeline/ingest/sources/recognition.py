"""Which source an export comes from, recognised by the names in its header alone."""

from __future__ import annotations

import difflib
import functools
import heapq
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import DumpError
from pipeline.ingest.cells.money import SIGNS
from pipeline.ingest.sources.schema import ColumnRule, Source, nearest

_PLACEHOLDER = "{currency}"
_NEAR = 5
_NONE = "no "  # before a name that should not be there


@dataclass(frozen=True)
class Match:
    """How one header fits one source.

    `columns` maps each field to the positions of its headers, best first; `currencies` holds the code or sign that a header
    names (`Unit Price (GBP)`, `价格($)`), as it stands in `money.SIGNS`; `unused` are headers that no field takes; `personal` are
    positions never to be stored.
    """

    source: Source
    header: tuple[str, ...]
    columns: Mapping[str, tuple[int, ...]]
    currencies: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    personal: frozenset[int] = frozenset()

    def exported_at(self) -> str | None:
        """When the tool wrote the file, where a name in the header says so."""
        if not self.source.exported_at:
            return None
        found = (re.search(self.source.exported_at, name) for name in self.header)
        return next((hit["value"] for hit in found if hit), None)

    def header_currencies(self) -> list[str]:
        """The currencies that headers name for certain; a `$` may mean several."""
        return [code for sign in self.currencies.values() if len(SIGNS[sign]) == 1 for code in SIGNS[sign]]


@functools.lru_cache(maxsize=1 << 16)  # every header is held against every name of every source
def fold(name: str) -> str:
    """One spelling for all spellings of a header: no case, no emoji, `: ` for ` - `, single blanks, NFKC."""
    text = unicodedata.normalize("NFKC", name.replace("\ufeff", "")).replace(" - ", ": ")
    kept = "".join(c for c in text if unicodedata.category(c) not in {"So", "Sk", "Cs", "Co", "Cn", "Cf", "Mn"} or c in "^`")
    return re.sub(r"\s*:\s+", ": ", " ".join(kept.split())).casefold().strip()


# A folded code or sign in a header (`usd`, `us$`) -> its key in `SIGNS`.
_SIGN_OF = {fold(sign): sign for sign in SIGNS}


def recognise(header: Sequence[str], sources: Sequence[Source], file: str = "the file") -> Match:
    """Find the one source whose headers are there.

    Parameters
    ----------
    header : the names of a file's columns, as they stand.
    sources : every known source, in any order; the one that recognises most of the header wins.
    file : the name used in errors.

    Raises
    ------
    DumpError
        A name stands twice and no source declares that; no source fits (the nearest one and what it lacks are named); two fit
        equally well; a canonical file holds a header that is not known; it is of a kind that holds nothing for a shortlist.
    """
    twice = _doubled(header)
    able = [source for source in sources if {fold(name) for name in twice} <= {fold(name) for name in source.recognise.doubled}]
    fitting = [match for match in (_match(header, source) for source in able) if not lacks(match)]
    if not fitting and twice:
        raise DumpError(f"{file}: the column '{twice[0]}' stands twice in the header; remove one and send the file again")
    if not fitting:
        raise DumpError(no_source(header, sources, file))
    ranked = sorted(fitting, key=_strength, reverse=True)
    if len(ranked) > 1 and _strength(ranked[0]) == _strength(ranked[1]):
        raise DumpError(f"{file}: fits two sources, {ranked[0].source.name} and {ranked[1].source.name}; tell them apart under [recognise]")
    best = ranked[0]
    if best.source.refused:
        raise DumpError(f"{file}: {best.source.refused}")
    if best.source.recognise.unknown == "refuse" and best.unused:
        known = [name for rule in best.source.columns.values() for name in rule.headers]
        raise DumpError(
            f"{file}: unknown column '{best.unused[0]}' for {best.source.name}{nearest(best.unused[0], known)} (known: {', '.join(known)})"
        )
    return best


def no_source(header: Sequence[str], sources: Sequence[Source], file: str) -> str:
    """The one line that says which source comes nearest to a header, and what it lacks."""
    matches = [_match(header, source) for source in sources if source.columns]
    if not matches:
        return f"{file}: no source is known; add one to configs/sources"
    near = heapq.nlargest(_NEAR, matches, key=lambda match: (len(match.columns) - 2 * len(lacks(match)), -len(match.source.columns)))
    # Of those, a source whose name is only misspelt in the file goes before one of whose name there is no trace.
    best = max(near, key=lambda m: len(m.columns) - 2 * sum(not _near_miss(name, m) for name in lacks(m)))
    wanted = "; ".join(name + _near_miss(name, best) for name in lacks(best))
    return (
        f"{file}: no source knows this header; nearest is {best.source.name}, which wants {wanted}"
        "; rename the columns, or describe the export in a file of configs/sources"
    )


def _near_miss(wanted: str, match: Match) -> str:
    """The name in the file that a missing one may be a misspelling of."""
    if wanted.startswith(_NONE):
        return ""
    free = {fold(name): name for name in match.unused}
    found = [near for part in wanted.split(" or ") for near in difflib.get_close_matches(fold(part), free, n=1, cutoff=0.7)]
    return f" (the file has '{free[found[0]]}')" if found else ""


def reasons(match: Match) -> list[str]:
    """The names by which the source was recognised."""
    source, there = match.source, {fold(name) for name in match.header}
    names = [name for name in source.recognise.all if fold(name) in there]
    names += [match.header[match.columns[f][0]] for f, r in source.columns.items() if r.required and f in match.columns]
    names += [name for name in source.recognise.any if _finds(name, there)]
    return list(dict.fromkeys(names))


def is_known_name(name: str, sources: Sequence[Source]) -> bool:
    """Whether any source knows a header of that name."""
    folded = fold(name)
    for source in sources:
        headers = (header for rule in source.columns.values() for header in rule.headers)
        for known in (*source.recognise.all, *source.recognise.any, *headers):
            if (_header_fits(known, folded) is not None) if _PLACEHOLDER in known else fold(known) == folded:
                return True
    return False


def lacks(match: Match) -> list[str]:
    """What keeps a header from being of a source; empty when it fits."""
    source, there = match.source, {fold(name) for name in match.header}
    rule = source.recognise
    missing = [name for name in rule.all if fold(name) not in there]
    missing += [" or ".join(r.headers[:3]) for f, r in source.columns.items() if r.required and f not in match.columns]
    keys = [(f, r) for f, r in source.columns.items() if r.required and r.join and r.kind == "id" and f in match.columns]
    missing += [" and ".join(r.headers) for f, r in keys if len(match.columns[f]) < len(r.headers)]
    if rule.any and not any(_finds(name, there) for name in rule.any):
        missing.append("one of " + ", ".join(rule.any[:6]))
    missing += [f"{_NONE}'{name}'" for name in rule.none if fold(name) in there]
    if rule.unknown == "misfit" and match.unused:
        missing.append(f"{_NONE}'{match.unused[0]}'")
    return missing


def _finds(name: str, there: set[str]) -> bool:
    return any(_header_fits(name, other) is not None for other in there) if _PLACEHOLDER in name else fold(name) in there


def _doubled(header: Sequence[str]) -> list[str]:
    names = [cell.replace("\ufeff", "").strip() for cell in header]
    return [name for place, name in enumerate(names) if name and name in names[:place]]


def _match(header: Sequence[str], source: Source) -> Match:
    folded = [fold(name) for name in header]
    index: dict[str, list[int]] = {}
    for place, there in enumerate(folded):
        index.setdefault(there, []).append(place)
    columns: dict[str, tuple[int, ...]] = {}
    currencies: dict[str, str] = {}
    for name, rule in source.columns.items():
        places = _places(index, rule, currencies, name)
        if places:
            columns[name] = places if rule.coalesce or rule.join else places[:1]
    used = {place for places in columns.values() for place in places}
    used |= {place for place, name in enumerate(folded) if source.history and name in {fold(p[:-2]) for p in source.history.steps}}
    hidden = {fold(name) for name in source.personal_headers}
    personal = {i for i, name in enumerate(folded) if name in hidden}
    personal |= {p for name, places in columns.items() if source.columns[name].personal for p in places}
    names = tuple(cell.replace("\ufeff", "").strip() for cell in header)
    unused = tuple(name for i, name in enumerate(names) if i not in used and name)
    return Match(source, names, columns, currencies, unused, frozenset(personal))


def _places(index: Mapping[str, list[int]], rule: ColumnRule, currencies: dict[str, str], name: str) -> tuple[int, ...]:
    """Where the headers of a rule stand, best first; `index` has the places of each folded name in the file."""
    places: dict[int, None] = {}
    for wanted in rule.headers:
        if _PLACEHOLDER not in wanted:
            places.update(dict.fromkeys(index.get(fold(wanted), ()) if fold(wanted) else ()))
            continue
        for there, found in index.items():
            code = _header_fits(wanted, there)
            if code and not places:
                currencies[name] = code
            places.update(dict.fromkeys(found if code else ()))
    return tuple(places)


def _header_fits(wanted: str, there: str) -> str | None:
    """The currency's code or sign that a header names where `wanted` has room for one; None for another header."""
    found = _pattern(wanted).fullmatch(there)
    return _SIGN_OF.get(found[1]) if found else None


@functools.cache
def _pattern(wanted: str) -> re.Pattern[str]:
    return re.compile(re.escape(fold(wanted)).replace(re.escape(_PLACEHOLDER), "(.{1,3})"))


def _strength(match: Match) -> tuple[int, int]:
    required = sum(rule.required for rule in match.source.columns.values()) + len(match.source.recognise.all)
    return required, len(match.columns)
