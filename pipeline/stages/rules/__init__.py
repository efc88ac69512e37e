"""Every rule with its limit, and the verdict that follows. `limits` is the table of rules, `verdicts` the entry.

May import: `stages.offers`, `config`, `tables`, `errors`.
"""
