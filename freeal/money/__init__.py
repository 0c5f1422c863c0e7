"""What calls cost: prices, and the ledger that keeps a job below its cap."""
