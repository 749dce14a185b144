"""The sub-commands of ``imuforge``."""
