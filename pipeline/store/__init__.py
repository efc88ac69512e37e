"""Everything that the program keeps on disk: immutable folders, one pointer per week, the history store, spills and fitted models.

`data_folder.py` commits runs and moves the pointer; `kept_weeks.py`, `kept_prices.py` and `compaction.py` are the history store;
`parquet.py` and `price_spills.py` write tables and spills; `disk.py` and `files.py` hold the steps that survive a kill; `lock.py` is the
lock of a data folder, and `verification.py` compares a run with its digests.

May import `stages` (the types of fitted models), `messages`, `tables` and `errors`.
"""
