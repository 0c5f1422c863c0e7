"""Texts to annotations: prompts, whom a round asks with which demonstrations, sending, and the only reply parser."""
