"""From numbers and pictures to `results.json`, one HTML file, a terminal table and a W&B run."""
