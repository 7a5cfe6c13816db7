"""What many runs left, as rows and as tables on disk."""
