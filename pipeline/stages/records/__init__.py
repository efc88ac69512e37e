"""The seller's records and the candidates themselves: duplicates, orders, returns, earlier weeks.

May import: `tables`.
"""
