"""The built-in body, its notice, and the scripts that made it and draw it."""
