"""A finished run: what it found, the tables of its folder, and reading an earlier one."""
