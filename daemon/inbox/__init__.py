"""Dropped files: watching, pairing, waiting, refusing and claiming them."""
