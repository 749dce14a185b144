"""A trained classifier put to use: new files in, activities out; and exported for other programs."""
