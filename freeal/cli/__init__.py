"""`python -m freeal`: the commands. They print; nothing else in the library does."""
