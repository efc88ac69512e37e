"""Choose products to sell on Amazon without stock: weekly dumps in, a ranked and explained shortlist out.

Read `week` first. Packages import downwards only: `tests/repository/test_architecture.py` holds the order.
"""

__version__ = "0.1.0"
