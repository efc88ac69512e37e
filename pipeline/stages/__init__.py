"""Pure stages: tables and frozen parameters in, tables out; no file, clock, environment or random source.

May import: its own packages, and `costs`, `config`, `tables`, `errors`; never `ingest`, `store` or `publish`.
"""
