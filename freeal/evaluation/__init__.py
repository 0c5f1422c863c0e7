"""How good it is: accuracy where truth is known, its interval, and what plain distillation would have given."""
