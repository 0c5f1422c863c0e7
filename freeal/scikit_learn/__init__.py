"""FreeAL as a scikit-learn estimator."""
