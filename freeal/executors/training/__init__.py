"""Training that one process does, or several of a Ray cluster together with Ray Train: the same steps."""
