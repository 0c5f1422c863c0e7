"""The predict lane: CSVs dropped for a finished model, labelled in turns by one warm process."""
