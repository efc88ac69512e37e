"""The text of single cells to numbers, money, days and times; it knows no file and no source.

Imports nothing else of `pipeline`.

May import nothing of the program.
"""
