"""The pool: the distinct texts of a table, near duplicates among them, and the share that is never shown."""
