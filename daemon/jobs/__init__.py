"""Jobs from their turn to their end: schedule, process, failures, cancel and retry, completion."""
