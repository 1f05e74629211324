"""Training: weights and inputs fitted by gradient to a matrix of correlations."""
