"""Several voices on one text as one: answers, label meanings, candidate labels, and whom to believe without truth."""
