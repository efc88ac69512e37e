"""From the bytes of a dump to typed tables, and a table of the lines that were set aside.

A file is read in one direction: `containers` (bytes to lines) -> `header` (names to a source) -> `lines` (lines to records) -> `rows`
(cells to typed columns). `dump.py` is what other packages call. Imports from `pipeline.tables`, `pipeline.messages` and
`pipeline.errors` only; a lower step never imports a higher one.
"""
