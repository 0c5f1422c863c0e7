"""The pretrained encoder: its weights, what it reads of a text, batches, features kept for the next round."""
