"""How a student is trained on noisy labels: targets, trust, losses, calibration (FreeAL section 3.3)."""
