"""Weights & Biases, and other loggers."""
