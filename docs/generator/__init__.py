"""Scripts that make what is kept in docs/: the reference from the code, the pictures from a run. Not installed."""
