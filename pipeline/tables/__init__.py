"""Schemas, keys, the calendar, and conversions between Arrow, pandas and arrays.

May import: `errors` only.
"""
