"""A version's rows in SQLite, to be searched, filtered and leafed through: `build_index` writes it, `row_search` reads
it. Derived from the version's files, so it may be deleted at any time. Light: no numpy."""
