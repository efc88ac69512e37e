"""One week from end to end: find the dump, read it, decide each bucket, write the files, and move the pointer last.

`week_run.py` is the driver. `inputs.py` finds the dump and hashes all inputs; `read_task.py` and `decide_task.py` are the tasks of the
workers, with `cross_bucket.py` between them; `accounting.py` checks the line accounting; `manifest.py` makes `run.json`; `retention.py`
keeps observations for later weeks. `lookup.py` and `import_decisions.py` work on finished runs, `inspect.py` and `setup.py` before one.

May import everything but `cli`, `unattended` and `training`.
"""
