"""The small model: the contract between loop and student, and the two trainers that fulfil it."""
