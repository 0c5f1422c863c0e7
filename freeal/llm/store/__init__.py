"""Answers that were paid for, kept: the store, commits that calls share, and making it smaller."""
