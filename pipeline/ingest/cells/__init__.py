"""The text of single cells to numbers, money, days and times; it knows no file and no source.

May import nothing else of `pipeline`.
"""
