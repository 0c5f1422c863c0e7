"""Programs of the processes that the daemon starts: `python -m daemon.processes.entry_points.NAME`, one each."""
