"""A job that goes on from a finished version: corrected, certified, promised, its labels sharpened or changed."""
