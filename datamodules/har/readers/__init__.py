"""One module a real set: its published layout to :class:`~datamodules.har.recordings.recording.Recording`."""
