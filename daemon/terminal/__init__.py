"""What a person at a terminal sees while jobs run."""
