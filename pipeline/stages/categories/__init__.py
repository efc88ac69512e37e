"""The category and brand gate: department, brand state and category verdict of a listing. `gate` is the entry.

May import: `stages.text`, `tables`, `errors`.
"""
