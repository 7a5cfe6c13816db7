"""Plots of the stages that test claims; one file per stage."""
