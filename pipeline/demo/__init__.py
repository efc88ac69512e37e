"""An invented market to try the program on: dumps in the canonical and in Keepa's form, and the truth behind them.

May import: `store`, `tables` and `errors`; nothing imports it but `cli`.
"""
