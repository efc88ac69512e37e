"""Excel files for people: the shortlist with its worklists, and the sourcing list.

May import: `publish.view`, `publish.text`, `publish.tables`, `store`, `messages`, `tables`.
"""
