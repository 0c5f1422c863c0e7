"""The FreeAL loop: rounds and what they leave, when to stop, the final label."""
