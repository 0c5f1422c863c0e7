"""A finished model and its labelled rows in the forms of other programs."""
