"""What is going on, from the journal and the folders; beside a running service or without one."""
