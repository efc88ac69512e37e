"""Source files (`configs/sources/*.toml`): their schema, and which source a header belongs to.

May import `cells`, `pipeline.tables` and `pipeline.errors`.
"""
