"""A model's review pages: the queue, the blind sheet, the boundary questions, and the rows of any version."""
