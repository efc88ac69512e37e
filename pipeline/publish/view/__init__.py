"""The view of a run that report and workbook share: one row a product, and sentences about it.

May import: `publish.text`, `publish.tables`, `store`, `stages.score`, `config`, `messages`.
"""
