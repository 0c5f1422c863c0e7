"""Choices among texts: clean labels, demonstrations, whom to ask, the nearest of many labels (FreeAL section 3.2)."""
