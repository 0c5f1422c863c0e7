"""Shards of a large table worked off in this process or on a Ray cluster: the same task, the same bytes."""
