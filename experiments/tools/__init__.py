"""Tools of the project's own: doctor, export of weights, pictures of the docs."""
