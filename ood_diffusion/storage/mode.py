"""What a run does with results that are there already; importing this file does not import PyTorch."""

MODES = {
    "reuse": "what is there is used and what is missing is made",
    "fresh": "what was there when the run began is made again and replaced",
    "readonly": "what is there is used; nothing is written and a missing item ends the run",
}
"""Choices of the setting `store_mode`."""
