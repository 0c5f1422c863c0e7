"""The service: files, time, processes, signals and settings around the library `freeal`."""
