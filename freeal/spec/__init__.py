"""What a user says: YAML with lines, and the sidecar spec it is checked against."""
