"""A chunk of typed rows, and the faults of those that do not fit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pipeline.ingest.rows.embedded_history import History


@dataclass(frozen=True)
class Fault:
    """Why rows are set aside: the header of the cell, the kind of fault, and what was wanted."""

    column: str
    kind: str
    message: str


@dataclass
class Chunk:
    """Typed columns of n rows, and for each row the number of its fault in `faults` (-1: none).

    `codes` holds the number of the rule in the source's `non_products` that a row matches (-1: it is a product). `suspects` marks rows that
    may be no record (their key is empty), `again` rows that repeat the header. `softened` counts cells taken as missing, by header.
    `named` are the currencies that money cells name (places in `money.NAMES`), `history` the price history that the rows hold.
    """

    columns: dict[str, pa.Array]
    rows: int
    faulty: np.ndarray
    codes: np.ndarray
    suspects: np.ndarray
    again: np.ndarray
    faults: list[Fault] = field(default_factory=list)
    softened: dict[str, int] = field(default_factory=dict)
    named: set[int] = field(default_factory=set)
    history: History | None = None

    def fail(self, wrong: np.ndarray, fault: Fault) -> None:
        """Note a fault for rows that have none yet."""
        fresh = wrong & (self.faulty < 0)
        if fresh.any():
            self.faulty[fresh] = len(self.faults)
            self.faults.append(fault)
