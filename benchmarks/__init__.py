"""Measurements: `make bench` and `make evaluate` run them; what they gave stands in README.md beside this file."""
