"""Runs and models as a notebook wants them: frames in, frames out, progress meanwhile."""
