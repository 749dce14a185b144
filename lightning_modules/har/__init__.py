"""Activity classifiers: networks, the forest, their features and metrics."""
