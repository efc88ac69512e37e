"""How likely an order comes back. `posterior` computes the posterior; `prior` is the fitted prior.

May import: `stages.text`, `config`, `tables`.
"""
