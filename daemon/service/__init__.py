"""The service itself: its loop, what it claims, its heartbeat, what SIGHUP changes."""
