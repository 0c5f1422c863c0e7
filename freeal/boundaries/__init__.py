"""Where labels compete: the pairs that are confused most, questions about them, and answers as meanings of labels."""
