"""Weekly runs with nobody watching: supervision of a run, its notifications, schedules, checks of the machine, history and rollback.

`supervisor.py` runs a week under the lock and reports how it ended; `notify.py` is the only module that uses a network; `history.py`
rebuilds, rolls back and prunes runs.

May import everything but `cli` and `training`.
"""
