"""Clients take turns through the vector: each round sends another part of it up."""
