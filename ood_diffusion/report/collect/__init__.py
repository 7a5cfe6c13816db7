"""What many runs left: cells, rows, tables on disk."""
