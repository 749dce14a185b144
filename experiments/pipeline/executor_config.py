"""Where the tasks of an experiment run, as every experiment's YAML says it under the key ``executor``."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from typing import Any, Final

from sim.names import check_name

LOCAL: Final = "local"
DASK: Final = "dask"
KEY: Final = "executor"


@dataclass(frozen=True)
class ExecutorConfig:
    """Processes of this machine, or a Dask cluster; no result depends on which. In YAML also ``executor: dask``.

    Attributes:
        kind: ``local`` or ``dask``; null is ``dask`` where there is an address or ``slurm``, and ``local`` elsewhere.
        address: of a Dask scheduler that runs, such as ``tcp://login1:8786``.
        slurm: arguments of ``dask_jobqueue.SLURMCluster``, handed on as they are: ``queue``, ``cores``, ``memory``,
            ``walltime``, ``account``, ``job_extra_directives`` and so on. ``processes`` is as many as ``cores`` where
            it is not given, so that each has one thread.
        jobs: SLURM jobs to ask for.
        shared_files: whether workers see the cache under the same path; null asks them. Where they do not, all that a
            task reads is sent along and what it writes is sent back.
    """

    kind: str | None = None
    address: str | None = None
    slurm: dict[str, Any] | None = None  # whatever SLURMCluster of the installed version takes
    jobs: int = 1
    shared_files: bool | None = None

    @property
    def is_dask(self) -> bool:
        """Whether a Dask cluster runs the tasks."""
        return self.kind == DASK or (self.kind is None and (self.address is not None or self.slurm is not None))


def spell_out_executor(values: dict[str, object]) -> dict[str, object]:
    """Return the content of a YAML with ``executor: NAME`` written as ``executor: {kind: NAME}``.

    ``local`` becomes the default kind, so that an address which is laid over it is enough to mean Dask.
    """
    name = values.get(KEY)
    if isinstance(name, str):
        return {**values, KEY: {"kind": None if name == LOCAL else name}}
    return values


def check_executor(config: ExecutorConfig) -> None:
    """Make sure, before anything is run, that this can be asked for.

    Raises:
        ValueError: something in it cannot be, or goes with something else; what to write instead.
    """
    if config.kind is not None:
        check_name(config.kind, (LOCAL, DASK), "executor.kind")
    if not config.is_dask:
        given = [name for name in ("address", "slurm", "shared_files") if getattr(config, name) is not None]
        if given:
            raise ValueError(f"executor.{given[0]} is given with executor.kind local, expected dask; leave out one")
        return
    if (config.address is None) == (config.slurm is None):
        raise ValueError(
            f"executor is dask with {'neither' if config.address is None else 'both'} address and slurm, expected one "
            "of them: executor.address=tcp://HOST:8786 of a `dask scheduler`, or executor.slurm={queue: ..., cores: "
            "..., memory: ...}"
        )
    if config.address is not None and not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://\S+:\d+", config.address):
        raise ValueError(
            f"executor.address is {config.address!r}, expected what `dask scheduler` prints, such as "
            "tcp://192.168.1.5:8786"
        )
    if config.slurm is not None and not {"cores", "memory"} <= config.slurm.keys():
        raise ValueError(
            f"executor.slurm has {sorted(config.slurm)}, expected at least cores and memory of a job, such as "
            "{cores: 8, memory: 16GB}"
        )
    if config.jobs < 1:
        raise ValueError(f"executor.jobs is {config.jobs}, expected at least 1")
    for package in ("distributed", *(["dask_jobqueue"] if config.slurm is not None else [])):
        if importlib.util.find_spec(package) is None:
            raise ValueError(f"executor is dask, but {package} is not installed; pip install 'imuforge[cluster]'")
