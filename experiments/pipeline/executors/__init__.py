"""Where tasks run: in this process, in processes of this machine, or on a Dask cluster."""

from experiments.pipeline.executors.local import Workers, in_this_process, local_processes
from experiments.pipeline.executors.opening import open_workers

__all__ = ["Workers", "in_this_process", "local_processes", "open_workers"]
