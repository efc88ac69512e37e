"""`report.html`: one file that loads nothing. `page` renders it from `templates/`.

May import: `publish.view`, `publish.text`, `publish.tables`, `config`, `messages`.
"""
