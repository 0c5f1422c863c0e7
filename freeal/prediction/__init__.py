"""Labelling tables of any size with a finished student: windows of rows, resumable, in bounded memory."""
