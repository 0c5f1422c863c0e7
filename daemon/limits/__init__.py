"""What jobs may use of what they share: the money of a day, a job's budget, the provider's rate limits."""
