"""The report of a run: its data, its tables, its pictures, its page; and the model card."""
