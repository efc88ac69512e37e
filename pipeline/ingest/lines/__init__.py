"""The line contract: which lines of a block are records, which are blank and which are set aside; and the cells of the records as text.

May import `containers` and `pipeline.tables`.
"""
