"""Child processes: their entry points, the pipe between them and the daemon, and who starts and buries them."""
