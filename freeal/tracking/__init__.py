"""Runs told to an experiment tracker: one protocol, and the trackers that we know."""
