"""Numbers to SVG, one module per kind of picture."""
