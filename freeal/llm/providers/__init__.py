"""Models over a network: Claude, OpenAI-compatible servers, and what they share."""
