"""Physical maps in array files: where they lie, what their axes are, how they become fields."""
