"""The score and the list that follows from it.

May import: `config`, `tables`.
"""
