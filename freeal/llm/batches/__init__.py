"""Many prompts at half the price through a provider's batch service; nothing is submitted twice."""
