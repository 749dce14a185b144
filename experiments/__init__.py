"""YAML that composes the rooms, the experiment har_eval and the command ``imuforge``."""
