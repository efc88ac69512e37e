"""The path rule: evidence from a category path, segment by segment from leaf to root."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from pipeline.stages.categories.rule_tables import REMARKS, RESTRICTED, CategoryRules, Root, root_key
from pipeline.stages.categories.segments import NOTHING, Matches, SegmentMatcher
from pipeline.stages.text.phrases import words_of

# Only whole, short entities: a long run of digits is no character.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_SEPARATOR = re.compile("[>\u203a\u00bb\uff1e|\uff5c\u2192\u21d2\u25b8\u25b6\u276f\u27e9]")  # never , & / - which belong to the names
# These separate only where what stands before one of them is then a known root.
_DOUBTFUL = re.compile(r"::|[/\\:;,\uff0f\uff1a\uff1b]|\s[-\u2013\u2014]\s")
_WORDLESS = re.compile("[\0-/:-@[-`{-\x7f]*")
WORN = "worn"  # kind of gear that is worn: it comes in sizes and comes back like clothing, but is filed as equipment
_BABY_ROOTS = frozenset({"Baby", "ToysAndBaby"})
_LONGEST_PATH = 1000  # characters in which such a root is looked for; real paths have under 300
# The return prior follows what the goods are, where that is known better than from the root.
_RETURN_BY_DEPARTMENT = {
    "electronics": "consumer_electronics",
    "apparel": "apparel_shoes",
    "food": "grocery",
    "luggage": "bags_luggage",
    "animal_food": "pet_garden_office_sports_tools",
}
# Amazon's threshold for bags is stated for the fee category, whatever the bag is filed under.
_RETURN_BY_FEE = {"backpacks_handbags_luggage": "bags_luggage"}


@dataclass(frozen=True)
class PathFacts:
    """What a category path says; `segment` and `root` are the row's own spelling, for the explanation."""

    department: str
    segment: str
    root: str
    is_known: bool
    return_class: str
    fee_category: str
    fee_assumed: bool
    cancels: frozenset[str] = frozenset()
    quiet: frozenset[str] = frozenset()
    careless: frozenset[str] = frozenset()
    kind: str = ""
    root_key: str = ""
    remarks: tuple[tuple[str, str], ...] = ()
    is_tree: bool = False  # more than one segment below a root that nobody knows: enough for the text model to read

    @property
    def is_worn(self) -> bool:
        """Whether the brand decides: clothing, and gear that is worn."""
        return self.department == "apparel" or self.kind == WORN

    @property
    def is_uninformative(self) -> bool:
        """Whether neither root nor segment says what the goods are, so that the text model is asked."""
        return not self.is_known and self.department == "unknown"


class PathReader:
    """Reads paths under one set of rules; every distinct segment is matched once."""

    def __init__(self, rules: CategoryRules) -> None:
        self._rules = rules
        self._matches = SegmentMatcher(rules)
        self._bare: dict[str, PathFacts] = {}
        self._roots: dict[str, Root | None] = {}

    def _split_behind_root(self, text: str) -> list[str]:
        """The segments of a path whose separator is a slash, colon, comma or dash: found by the longest known root before it."""
        cuts = [found.span() for found in _DOUBTFUL.finditer(text[:_LONGEST_PATH])]
        for begin, end in reversed(cuts):
            if root_key(text[:begin]) in self._rules.roots:
                return [text[:begin].strip(), *_named(_DOUBTFUL.split(text[end:]))]
        return [text]

    def read(self, path: str | None) -> PathFacts:
        """What one path says; the order of the tests is in docs/categories.md."""
        text = _ENTITY.sub(lambda found: unescape(found[0]), path) if path and "&" in path else path or ""
        segments = _named(_SEPARATOR.split(text))
        if len(segments) == 1 and self._root(segments[0]) is None:
            segments = self._split_behind_root(segments[0])
        while len(segments) > 1 and self._root(segments[0]) is None and root_key(segments[0]) in self._rules.prefixes:
            segments = segments[1:]
        if not segments:
            return PathFacts("unknown", "", "", False, "other", "everything_else", True)
        root = self._root(segments[0])
        if root and root.department == "mixed" and len(segments) > 1 and self._root(segments[1]):
            segments = segments[1:]
            root = self._root(segments[0])
        matches = [self._matches[s] for s in segments]
        # Most segments match nothing: then the root alone decides, except that any word can decide for computers.
        if root is None or root.department in ("electronics", "mixed") or any(m is not NOTHING for m in matches[1:]):
            return self._read(segments, matches, root)
        if segments[0] not in self._bare:
            self._bare[segments[0]] = self._read(segments[:1], matches[:1], root)
        return self._bare[segments[0]]

    def matches(self, path: str | None) -> list[str]:
        """What each segment of a path matches, leaf first, in words."""
        lines = []
        for segment in reversed(_named(_SEPARATOR.split(path or ""))):
            rules, traps, _ = self._matches[segment]
            claims = list(dict.fromkeys(rule.kind or rule.department for rule in rules))
            cancels = sorted({department for trap in traps for department in trap.cancels})
            if claims or cancels:
                said = f"speaks for {', '.join(claims)}" if claims else "speaks for nothing"
                lines.append(f'segment "{segment}" {said}' + (f", takes back {', '.join(cancels)}" if cancels else ""))
        return lines

    def _root(self, segment: str) -> Root | None:
        if segment not in self._roots:
            self._roots[segment] = self._rules.roots.get(root_key(segment))
        return self._roots[segment]

    def _read(self, segments: list[str], matches: list[Matches], root: Root | None) -> PathFacts:
        is_mixed = root is None or root.department == "mixed"
        start = 0 if root is None else 1
        finder = _Finder(matches, "unknown" if is_mixed or root is None else root.key, start)
        department, at, kind, cancels = _department(finder, root)
        is_known = root is not None and not is_mixed and (root.is_verified or department in RESTRICTED)
        if not is_known and department == "other":
            department = "unknown"
        fee, fee_at = finder.fee(department)
        return_class = root.return_class if root else "other"
        if kind != "supplements" and not (department == "electronics" and root and root.department == "electronics"):
            return_class = _RETURN_BY_DEPARTMENT.get(department, return_class)
        elif any("computer" in word or "laptop" in word for s in segments for word in words_of(s)):
            return_class = "computers"
        return_class = "apparel_shoes" if kind == WORN else _RETURN_BY_FEE.get(fee, return_class)
        return PathFacts(
            department,
            segments[at] if at >= 0 else "",
            segments[0],
            is_known,
            return_class,
            fee or (root.fee_category if root else "everything_else"),
            fee_at < 0,
            cancels | (root.cancels if root else frozenset()),
            root.quiet if root else frozenset(),
            root.careless if root else frozenset(),
            kind,
            root.key if root else "",
            finder.remarks(segments, root),
            root is None and len(segments) > 1,
        )


def _named(parts: list[str]) -> list[str]:
    stripped = (part.strip(" \t\r\n\u3000\ufeff\u200b") for part in parts)
    return [s for s in stripped if not _WORDLESS.fullmatch(s) and (s.isascii() or words_of(s))]


class _Finder:
    """The matches of one path's segments, looked through from leaf to root."""

    def __init__(self, matches: list[Matches], root_key: str, start: int) -> None:
        self._matches, self._root_key, self._start = matches, root_key, start
        # Per department: places with a trap, the last one that also reaches above it, the first one that also reaches below it.
        self._trapped: set[tuple[str, int]] = set()
        self._last_above: dict[str, int] = {}
        self._first_below: dict[str, int] = {}
        for place in range(start, len(matches)):
            for trap in matches[place][1]:
                if not trap.holds(root_key):
                    continue
                for department in trap.cancels:
                    self._trapped.add((department, place))
                    if trap.reach == "above":
                        self._last_above[department] = place
                    elif trap.reach == "below":
                        self._first_below.setdefault(department, place)

    def find(self, department: str, kind: str | None = None) -> tuple[int, str]:
        """Place and kind of the deepest segment of a department that no trap takes back; -1 when there is none."""
        for at in range(len(self._matches) - 1, self._start - 1, -1):
            for rule in self._matches[at][0]:
                fits = rule.department == department and (kind is None or rule.kind == kind) and rule.holds(self._root_key)
                if fits and not self.is_cancelled(department, at):
                    return at, rule.kind
        return -1, ""

    def remarks(self, segments: list[str], root: Root | None) -> tuple[tuple[str, str], ...]:
        """What a seller may treat apart whatever the department: goods for babies, dangerous goods; each with its segment."""
        found = []
        for remark in REMARKS:
            at, _ = self.find(remark)
            if at >= 0 or (remark == "baby" and root is not None and root.key in _BABY_ROOTS):
                found.append((remark, segments[max(at, 0)]))
        return tuple(found)

    def is_cancelled(self, department: str, at: int) -> bool:
        """Whether a trap takes the department back at this place: in the segment itself, from one below it or one above it."""
        return (department, at) in self._trapped or self._last_above.get(department, at) > at or self._first_below.get(department, at) < at

    def fee(self, department: str) -> tuple[str, int]:
        """Fee category and place of the deepest segment that names one for goods of this department."""
        for at in range(len(self._matches) - 1, self._start - 1, -1):
            for rule in self._matches[at][2]:
                if rule.holds(self._root_key) and (not rule.goods or department in rule.goods):
                    return rule.department, at
        return "", -1


_ANIMAL_CANCELS = frozenset({"food", "apparel"})


def _department(finder: _Finder, root: Root | None) -> tuple[str, int, str, frozenset[str]]:
    # Department, place of the segment that decides (-1: the root), kind, and what this branch keeps title words from claiming.
    none: frozenset[str] = frozenset()
    of_root = root.department if root and root.is_verified else ""
    if root and root.decides:
        return of_root, -1, "", none
    if root and not root.is_verified and root.department in RESTRICTED:
        return root.department, -1, "", none
    if of_root not in ("electronics", "apparel") and ((root and root.key == "PetSupplies") or finder.find("pet")[0] >= 0):
        for department in ("electronics", "animal_food", "powered"):
            at, kind = finder.find(department)
            if at >= 0:
                return department, at, kind, _ANIMAL_CANCELS
        return "other", finder.find("pet")[0], "", _ANIMAL_CANCELS
    if of_root in ("electronics", "food"):
        return of_root, -1, "", none
    at, kind = finder.find("electronics", "smartwatch")
    if at >= 0:
        return "electronics", at, kind, none
    if of_root == "apparel":
        at, _ = finder.find("luggage")
        return ("luggage", at, "", none) if at >= 0 else ("apparel", -1, "", none)
    blocked = root.cancels if root else none
    for department in (*RESTRICTED, "luggage", "powered"):
        at, kind = finder.find(department)
        if at >= 0 and department not in blocked:
            if department == "apparel" and (gear := finder.find(WORN)[0]) >= at:
                return "other", gear, WORN, none
            return department, at, kind, none
    at, _ = finder.find("costume")
    if at >= 0:
        return "apparel", at, "", none
    if of_root == "luggage" or (of_root == "powered" and not finder.is_cancelled("powered", 0)):
        return of_root, -1, "", none
    return "other", -1, "", none
