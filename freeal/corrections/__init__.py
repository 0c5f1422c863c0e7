"""What a person looks at and says: the queue of rows to review, and the labels that come back."""
