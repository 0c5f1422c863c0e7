"""docs/reference/ from the code: descriptions of fields, docstrings of errors, help of commands."""
