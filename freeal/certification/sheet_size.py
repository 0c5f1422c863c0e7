"""How many rows a blind sheet shows: of fewer nothing can be said, more are for who wants a narrower interval."""

FEWEST_ROWS, MOST_ROWS, USUAL_ROWS = 40, 200, 100
