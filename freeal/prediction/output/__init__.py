"""A labelled table on its way to its file: the columns we add, a CSV or Parquet, and how it goes on after a kill."""
