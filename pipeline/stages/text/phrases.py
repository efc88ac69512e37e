"""Words of a listing: their normal form, and phrases among them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

CJK = "\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af\u3005"
CJK_RUN = re.compile(rf"[{CJK}]")
_WORD = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_APOSTROPHES = dict.fromkeys(map(ord, "'`\u00b4\u2018\u2019\u02bc\u2032"))
_MARKS = dict.fromkeys(map(ord, "™®©℠"))
# Kana keep their voicing marks: ガ is another sound than カ.
_VOICING = "\u3099\u309a"
_ASCII = bytes(ord(chr(code).lower()) if code < 128 and chr(code).isalnum() else 32 for code in range(256))
_IRREGULAR = {
    "knives": "knife",
    "shelves": "shelf",
    "scarves": "scarf",
    "cookies": "cookie",
    "movies": "movie",
    "lens": "lens",
    "lenses": "lens",
    "men": "man",
    "women": "woman",
    "electronics": "electronics",
}


def plain(text: str) -> str:
    """Normal form of a text: NFKC, no case, no accents (kana keep theirs), no invisible characters, no trade marks."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text.translate(_MARKS)).casefold()
    kept = (c for c in unicodedata.normalize("NFD", text) if c in _VOICING or unicodedata.category(c) not in ("Mn", "Cf"))
    return unicodedata.normalize("NFC", "".join(kept)).casefold()


def words_of(text: str) -> list[str]:
    """Words of a text in normal form and in order; an apostrophe joins, `&` is the word "and", the rest separates."""
    if text.isascii():
        plain_bytes = text.encode().replace(b"&", b" and ") if "&" in text else text.encode()
        return plain_bytes.translate(_ASCII, b"'`").decode().split()
    return _WORD.findall(plain(text).translate(_APOSTROPHES).replace("&", " and "))


def _singular(word: str) -> str:
    if len(word) < 4 or word in _IRREGULAR or word[-1] != "s" or word.endswith(("ss", "us", "is")):
        return _IRREGULAR.get(word, word)
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses", "zes")) else word[:-1]


class _Singulars(dict[str, str]):
    def __missing__(self, word: str) -> str:
        if len(self) > 500_000:  # a dump of unlike words must not fill the memory
            self.clear()
        one = self[word] = _singular(word)
        return one


_SINGULARS = _Singulars()


def singular(word: str) -> str:
    """English singular, roughly: both sides of a comparison go through it, so it must only be the same twice."""
    return _SINGULARS[word]


def singulars(words: Iterable[str]) -> tuple[str, ...]:
    """The singular of each word."""
    return tuple(map(_SINGULARS.__getitem__, words))


def phrase_of(text: str) -> tuple[str, ...]:
    """The words of a rule in the form in which they are looked up."""
    return singulars(words_of(text))


class PhraseIndex(Generic[T]):
    """Finds whole phrases among words by their longest word: one dictionary look-up a word, no alternation."""

    def __init__(self, entries: Iterable[tuple[tuple[str, ...], T]]) -> None:
        self._by_word: dict[str, list[tuple[int, tuple[str, ...], T]]] = {}
        for phrase, payload in entries:
            at = max(range(len(phrase)), key=lambda i: (len(phrase[i]), -i))
            self._by_word.setdefault(phrase[at], []).append((at, phrase, payload))

    def get(self, word: str) -> Sequence[tuple[int, tuple[str, ...], T]]:
        """Phrases whose longest word is this one (singular), each with the word's place in it."""
        return self._by_word.get(word, ())

    def find(self, words: Sequence[str]) -> list[tuple[int, int, T]]:
        """Begin, end and payload of every phrase in a sequence of singular words; overlaps are all given."""
        found = []
        for i, word in enumerate(words):
            for at, phrase, payload in self._by_word.get(word, ()):
                begin = i - at
                if begin >= 0 and tuple(words[begin : begin + len(phrase)]) == phrase:
                    found.append((begin, begin + len(phrase), payload))
        return found
