"""`shortlist train`: models fitted to the seller's own records.

May import: `runs` (its reading task), `week`, `stages`, `store`, `engine`, `ingest`, `config`, `messages`, `tables`.
"""
