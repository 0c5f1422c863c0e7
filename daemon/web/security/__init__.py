"""Who may see and who may act: where the page listens, what a request must pass, the token."""
