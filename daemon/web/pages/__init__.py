"""A module per page or group of endpoints, and the templates they are made of."""
