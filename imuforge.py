"""The name that ``pip install imuforge`` is known by: what reads a data set in one line. The rest is in its rooms.

Examples:
    >>> import imuforge
    >>> imuforge.load_dataset.__module__
    'datamodules.har.dataset_folder'
"""

from datamodules.har.dataset_folder import load_dataset

__all__ = ["load_dataset"]
