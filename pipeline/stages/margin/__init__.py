"""What one order earns: at the current price, over time, and solved backwards. `unit_economics` is the entry.

May import: `stages.offers`, `stages.returns`, `stages.prices`, `costs`, `config`, `tables`.
"""
