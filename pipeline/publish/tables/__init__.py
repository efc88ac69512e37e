"""The Parquet files of a run, and the counts and selections gathered while they are written.

May import: `store`, `stages.score`, `config`, `tables`; `ingest` for the type of a file's accounts.
"""
