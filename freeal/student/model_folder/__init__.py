"""A trained student as a folder: written, checked before it is trusted, and loaded."""
