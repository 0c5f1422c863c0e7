"""Finished things to where people look for them, by rename: versions, predictions, done/ and failed/."""
