"""Labelling in shards that several processes or machines share; joined, the output is the one of any prediction."""
