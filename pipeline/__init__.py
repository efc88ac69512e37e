"""Choose products to sell on Amazon without stock: weekly dumps in, a ranked and explained shortlist out."""

__version__ = "0.1.0"
