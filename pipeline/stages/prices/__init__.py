"""What a price was and where it may be: steps, weighted prices, forecast. `distribution` is the entry.

May import: `config`, `tables`.
"""
