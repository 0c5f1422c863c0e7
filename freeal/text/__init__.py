"""Text as people and models meet it: a row as one text, names that could be mistaken, what is unsafe to print."""
