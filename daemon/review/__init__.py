"""What people say on the page about rows, sheets and boundaries: kept as it is said, handed in as files; who has which
row just now; the child processes that prepare what is shown."""
