"""How right the labels are, measured: a blind sheet for a person, the interval it gives, and what may be promised."""
