"""Several students to choose from: which are at hand, how well each foretells the first labels, which one wins."""
