"""A CSV as rows: its delimiter and quoting found, its records read, odd rows fitted or refused."""
