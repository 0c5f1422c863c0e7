"""What a job will ask, cost and take, before it does: the real loop against a model that counts."""
