"""What the terminal and the notifications say: explanations, differences, summaries, warnings.

May import: `publish.tables`, `store`, `stages`, `config`, `messages`.
"""
