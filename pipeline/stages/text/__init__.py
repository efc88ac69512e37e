"""Words of titles and paths: normal forms, phrases, blocks of tokens, features.

May import: nothing of the program.
"""
