"""Blocks of tokenised texts: every word is looked up once, and a phrase is a comparison of neighbours over the whole block.

The words of many texts stand in one array of codes, with a fence behind each text so that no phrase reaches from one into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.stages.text.phrases import singular, words_of

FENCE = "\xff"  # no word: the normal form has no accents
_CODE_BITS = 20
_WORDS_MAX = 500_000  # of the memo, about 50 MB; texts of ever new words must not fill the memory
_LETTERS = bytes(code if code == 0xFF else ord(chr(code).lower()) if code < 128 and chr(code).isalnum() else 32 for code in range(256))


class Vocabulary:
    """Codes of the words that phrases are made of, from 1 on; 0 is any other word, `fence` the end of a text."""

    def __init__(self, words: Iterable[str]) -> None:
        self._codes = {word: code for code, word in enumerate(sorted(set(words)), 1)}
        self.fence = len(self._codes) + 1
        self.size = self.fence + 1
        self.numerals = {word: code for word, code in self._codes.items() if word.isdigit()}

    def code(self, word: str) -> int:
        """The code of a word in its singular."""
        return self._codes.get(word, 0)

    def flags(self, words: Iterable[str]) -> np.ndarray:
        """Which codes are of these words, shape (size,)."""
        flags = np.zeros(self.size, dtype=bool)
        flags[[self._codes[word] for word in words]] = True
        return flags


class WordMemo(dict[str, int]):
    """Word -> its code, and above it the number of what the word is besides; filled as words come."""

    def __init__(self, vocabulary: Vocabulary, besides: Callable[[str], tuple[int, ...]]) -> None:
        super().__init__()
        self._vocabulary, self._besides = vocabulary, besides
        self._numbers: dict[tuple[int, ...], int] = {(): 0}
        self._begin()

    def _begin(self) -> None:
        self.clear()
        self[FENCE] = self._vocabulary.fence
        self.update(self._vocabulary.numerals)

    def __missing__(self, word: str) -> int:
        if word.isdigit():  # a number that is no word of a phrase; numbers seldom come twice
            return 0
        if len(self) > _WORDS_MAX:
            self._begin()
        number = self._numbers.setdefault(self._besides(word), len(self._numbers))
        code = self[word] = self._vocabulary.code(singular(word)) | number << _CODE_BITS
        return code

    def besides(self) -> list[tuple[int, ...]]:
        """What words are besides, by number."""
        return list(self._numbers)


@dataclass(frozen=True)
class Block:
    """The words of n texts: `codes` and `besides` of each word or fence, its text's place in `order`, and where each text begins and ends.

    `order` gives the text at each position, since plain ASCII ones come first; `words` are the words as they were read.
    """

    codes: np.ndarray
    besides: np.ndarray
    text: np.ndarray
    first: np.ndarray
    end: np.ndarray
    order: np.ndarray
    words: list[str]


def read_block(texts: Sequence[str], memo: WordMemo) -> Block:
    """The words of these texts; about 2 us a text of 15 words."""
    is_plain = np.fromiter(map(str.isascii, texts), dtype=bool, count=len(texts))
    plain, others = np.flatnonzero(is_plain), np.flatnonzero(~is_plain).tolist()
    own = texts if not others else [texts[place] for place in plain.tolist()]
    # The same as `words_of`, for all of them at once.
    joined = " \xff ".join([*own, ""]).replace("&", " and ").encode("latin-1")
    words = joined.translate(_LETTERS, b"'`").decode("latin-1").split()
    for place in others:
        words += words_of(texts[place])
        words.append(FENCE)
    numbers = np.fromiter(map(memo.__getitem__, words), dtype=np.int64, count=len(words))
    codes = numbers & ((1 << _CODE_BITS) - 1)
    end = np.flatnonzero(codes == memo[FENCE])
    first = np.concatenate([[0], end[:-1] + 1]) if len(end) else end
    text = np.repeat(np.arange(len(end)), end - first + 1)
    return Block(codes, numbers >> _CODE_BITS, text, first, end, np.concatenate([plain, np.array(others, dtype=np.int64)]), words)


@dataclass(frozen=True)
class Spans:
    """Positions of phrases in a block: first word, one behind the last, and which phrase or item."""

    begin: np.ndarray
    end: np.ndarray
    item: np.ndarray

    def __len__(self) -> int:
        return len(self.begin)

    def of(self, rows: np.ndarray) -> Spans:
        """Some of them, by mask or place."""
        return Spans(self.begin[rows], self.end[rows], self.item[rows])

    def and_also(self, other: Spans) -> Spans:
        """These, then the others."""
        return Spans(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))

    def covered(self, count: int) -> np.ndarray:
        """Which of `count` words stand in one of them."""
        steps = np.bincount(self.begin, minlength=count + 1) - np.bincount(self.end, minlength=count + 1)
        return np.cumsum(steps[: count + 1])[:count] > 0


class PhraseTable:
    """Finds whole phrases by their longest word: a look-up a word, and comparisons only where it is such a word."""

    def __init__(self, phrases: Sequence[tuple[str, ...]], vocabulary: Vocabulary) -> None:
        self._length = np.array([len(phrase) for phrase in phrases], dtype=np.int64)
        self.longest = max(map(len, phrases), default=0)
        self._words = np.zeros((len(phrases), self.longest), dtype=np.int64)
        of_code: dict[int, list[tuple[int, int]]] = {}
        for number, phrase in enumerate(phrases):
            codes = [vocabulary.code(word) for word in phrase]
            self._words[number, : len(codes)] = codes
            at = max(range(len(phrase)), key=lambda i: (len(phrase[i]), -i))
            of_code.setdefault(codes[at], []).append((at, number))
        self._count = np.array([len(of_code.get(code, ())) for code in range(vocabulary.size)], dtype=np.int64)
        self._start = np.cumsum(self._count) - self._count
        flat = [pair for code in range(vocabulary.size) for pair in of_code.get(code, ())]
        self._at = np.array([at for at, _ in flat], dtype=np.int64)
        self._number = np.array([number for _, number in flat], dtype=np.int64)

    def find(self, codes: np.ndarray) -> Spans:
        """Every phrase in an array of codes that ends with a fence; overlaps are all given."""
        places = np.flatnonzero(self._count[codes])
        which, of_place = expand(self._start[codes[places]], self._count[codes[places]])
        number = self._number[which]
        begin = places[of_place] - self._at[which]
        length = self._length[number]
        fits = (begin >= 0) & (begin + length < len(codes))
        for step in range(self.longest):
            asked = np.flatnonzero(fits & (length > max(step, 1)))
            fits[asked] = codes[begin[asked] + step] == self._words[number[asked], step]
        return Spans(begin, begin + length, number).of(fits)


def expand(start: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For n runs of places (from `start`, so many): all the places, and of which run each is."""
    of_run = np.repeat(np.arange(len(count)), count)
    return np.arange(len(of_run)) - (np.cumsum(count) - count - start)[of_run], of_run
