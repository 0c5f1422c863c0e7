"""The spec against the table, before anything is asked or paid."""
