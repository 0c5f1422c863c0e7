"""Language models: the contract (protocols), credentials, what a failure means, and a room for each concern."""
