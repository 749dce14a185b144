"""Work that takes seconds: one at a time, in a thread of its own, and what is said of it meanwhile."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypedDict

_LOGGER = logging.getLogger(__name__)


class BusyError(Exception):
    """Something is being made."""


class JobSaid(TypedDict):
    """What a page is told of a job."""

    state: Literal["running", "done", "failed"]
    stage: str
    share: float | None
    seconds: float
    motion: str | None
    error: str | None


@dataclass(eq=False)
class Job:
    """One piece of work.

    Attributes:
        name: what it is asked about by.
        stage: what is being done, in words.
        share: how much of that is done, 0 to 1; None where that is not known.
        motion: name of the motion that came out.
        error: why none did, in one line.
    """

    name: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    stage: str = "starting"
    share: float | None = None
    motion: str | None = None
    error: str | None = None
    begun: float = field(default_factory=time.monotonic)

    def say(self, stage: str, share: float | None = None) -> None:
        """Say what is being done now."""
        self.stage, self.share = stage, share

    def told(self) -> JobSaid:
        """Return what a page is told."""
        return JobSaid(
            state="failed" if self.error is not None else "running" if self.motion is None else "done",
            stage=self.stage,
            share=self.share,
            seconds=round(time.monotonic() - self.begun, 1),
            motion=self.motion,
            error=self.error,
        )


class Workbench:
    """Does one job at a time; the last ones are remembered."""

    def __init__(self, *, remembered: int = 32) -> None:
        self._jobs: dict[str, Job] = {}
        self._remembered = remembered
        self._free = threading.Lock()

    def start(self, work: Callable[[Job], str], explain: Callable[[BaseException], str]) -> Job:
        """Begin a job.

        Args:
            work: makes a motion, tells the job how far it is, and returns the motion's name.
            explain: one line for what it raises.

        Raises:
            BusyError: another job is running.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError("a motion is being made already; wait until it is there")
        job = Job()
        self._jobs[job.name] = job
        for old in list(self._jobs)[: -self._remembered]:
            del self._jobs[old]

        def run() -> None:
            try:
                job.motion = work(job)
            except Exception as error:
                _LOGGER.debug("a job failed", exc_info=error)
                job.error = explain(error)
            finally:
                self._free.release()

        # A daemon, so that Ctrl-C does not wait for it.
        threading.Thread(target=run, daemon=True, name="studio job").start()
        return job

    @property
    def is_busy(self) -> bool:
        """Whether a job is running."""
        return self._free.locked()

    def find(self, name: str) -> Job | None:
        """Return a job by its name."""
        return self._jobs.get(name)
