"""One job from CSV to finished folder, its parts, and the one place that chooses the language model."""
