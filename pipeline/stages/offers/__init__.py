"""Which product an offer is for, what it costs, and the offer to buy by. `choice` is the entry.

May import: `costs`, `config`, `tables`.
"""
