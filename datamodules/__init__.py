"""Lightning data modules and the readers under them; imports nothing of ours but ``sim``."""
