"""The machine underneath: clock, disk errors, the lock of one instance, log lines, systemd."""
