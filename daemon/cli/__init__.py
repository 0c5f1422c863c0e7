"""`python -m daemon`: the commands, and what they print."""
