"""Arrays to recordings: time stamps, gaps, missing values, and one pass over all files of a set."""
