"""From decided tables to the files and texts that people and programs read. `documents` makes the two files for people.

May import: its own packages, from the top down: `report` and `workbooks`, `view`, `text`, `tables`; and `store`, `stages`, `config`,
`messages`, `tables`.
"""
