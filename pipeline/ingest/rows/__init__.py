"""Records to typed columns with their lineage, and a fault for each record that does not fit its source.

May import every package of `ingest` beside it, `pipeline.tables` and `pipeline.errors`.
"""
