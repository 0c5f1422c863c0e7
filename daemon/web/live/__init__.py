"""What everybody who looks shares: one snapshot a second, read from the journal, and the overview cut into parts."""
