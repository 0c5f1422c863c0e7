"""A causal language model in this machine's memory: weights, prompts as tokens, label scores, their calibration."""
