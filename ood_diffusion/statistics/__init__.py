"""Estimates with their uncertainty, and tests with their null, for few points in many dimensions."""
