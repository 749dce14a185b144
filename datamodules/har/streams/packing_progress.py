"""The progress that is shown while a set is read for the first time."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from datamodules.har.streams.set_streams import StreamSource, is_packed, pack_streams
from datamodules.har.streams.shards import StreamShards


def pack_with_progress(source: StreamSource, cache_dir: str, what: str) -> StreamShards:
    """As :func:`datamodules.har.streams.set_streams.pack_streams`, saying which recording is being read."""
    if is_packed(source, cache_dir):
        return pack_streams(source, cache_dir)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(pulse_style="cyan"), TimeElapsedColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(what, total=None)
        return pack_streams(
            source,
            cache_dir,
            progress=lambda done, name: bar.update(task, description=f"{what}: {done + 1} recordings, {name}"),
        )
