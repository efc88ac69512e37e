"""The configuration: `plan.py` holds the frozen models of the plan, `files.py` reads it and the rest of `configs/`, `locations.py` says
where these files are.

May import `errors` only.
"""
