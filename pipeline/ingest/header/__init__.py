"""The header of a file: its encoding, its separator, its names and the source that recognises them.

May import `containers`, `sources` and `pipeline.errors`.
"""
