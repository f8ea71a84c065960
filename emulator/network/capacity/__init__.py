"""Rates that change inside a transfer: profiles, the files and the formulas that they come from."""
