"""Files from and to a browser."""
