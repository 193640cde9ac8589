"""Anchoring on an EVM chain: the registry contract, its transactions, and their evidence."""
