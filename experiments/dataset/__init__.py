"""``imuforge dataset``: labelled recordings of virtual people, from one YAML."""
