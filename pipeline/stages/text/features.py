"""Features of a text: words, pairs of neighbours and letter groups; and coefficients as base64 text."""

from __future__ import annotations

import base64

import numpy as np

from pipeline.stages.text.phrases import CJK_RUN, singulars, words_of

_WORDS_MAX = 40  # of a text: what stands behind them tells nothing of the goods


def pieces(text: str) -> list[str]:
    """Words of a text (singular, of three letters and more or not Latin) and pairs of neighbours, in order; at most 40 words."""
    words = [word for word in singulars(words_of(text)[:_WORDS_MAX]) if len(word) > 2 or not word.isascii()]
    return [*words, *(f"{a} {b}" for a, b in zip(words, words[1:], strict=False))]


def letter_groups(piece: str) -> list[str]:
    """A piece itself, and of a single word its groups of letters: 3 to 5 with the word's edges, of Chinese or Japanese 1 to 3."""
    if " " in piece:
        return [piece]
    if CJK_RUN.match(piece):
        return [piece, *(f"~{piece[i : i + n]}" for n in (1, 2, 3) for i in range(len(piece) - n + 1))]
    edged = f"<{piece}>"
    return [piece, *(f"~{edged[i : i + n]}" for n in (3, 4, 5) for i in range(len(edged) - n + 1))]


def numbers(text: str) -> np.ndarray:
    """The float32 values of a base64 text, as float64; raises `ValueError` for any other text."""
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float64)


def as_text(values: np.ndarray) -> str:
    """Values as base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()
