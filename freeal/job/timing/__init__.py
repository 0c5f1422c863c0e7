"""How long a job takes: expected of its stages beforehand, and corrected while it runs."""
