"""Peak memory of a piece of work, by Linux's own high-water mark, in a process of its own."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def measure_peak_bytes(prepare: Callable[[], Callable[[], object]]) -> int:
    """Return by how much memory grows at most while the work that ``prepare`` returns is done once [bytes].

    Args:
        prepare: a function of a module, called in the new process; what it allocates does not count.

    Raises:
        RuntimeError: the process failed, or this system keeps no high-water mark.
    """
    return _in_a_process(_measure, prepare)


def measure_anonymous_bytes(prepare: Callable[[], Callable[[], object]]) -> int:
    """Return by how much memory that no file backs grows at most during the work, looked at every few milliseconds.

    Args:
        prepare: as for :func:`measure_peak_bytes`.

    Raises:
        RuntimeError: the process failed, or this system does not tell.
    """
    return _in_a_process(_measure_anonymous, prepare)


def _in_a_process(
    measure: Callable[[Callable[[], Callable[[], object]], Connection], None],
    prepare: Callable[[], Callable[[], object]],
) -> int:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(prepare, sender))
    process.start()
    sender.close()
    try:
        return int(receiver.recv())
    except EOFError as error:
        raise RuntimeError("the measured process failed; its traceback is above") from error
    finally:
        process.join()


def _measure(prepare: Callable[[], Callable[[], object]], sender: Connection) -> None:
    torch.set_num_threads(1)
    work = prepare()
    if not _CLEAR.exists():
        raise RuntimeError("no /proc/self/clear_refs: peak memory is measured on Linux only")
    before = _read_kib("VmRSS")
    _CLEAR.write_text("5", encoding="ascii")
    result = work()
    peak = _read_kib("VmHWM")
    sender.send((peak - before) * 1024)
    del result


def _measure_anonymous(prepare: Callable[[], Callable[[], object]], sender: Connection) -> None:
    torch.set_num_threads(1)
    work = prepare()
    before = most = _read_kib("RssAnon")
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, _read_kib("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = work()
    finally:
        done.set()
        watcher.join()
    most = max(most, _read_kib("RssAnon"))
    sender.send((most - before) * 1024)
    del result


def _read_kib(field: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"{_STATUS} has no {field}: peak memory is measured on Linux only")
