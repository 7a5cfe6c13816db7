"""Physical maps in array files: where they lie, what their axes are, how values become colours."""
