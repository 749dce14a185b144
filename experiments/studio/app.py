"""The studio's server: pages, jobs, readings of sensors, and files to keep."""

from __future__ import annotations

import math
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Annotated, Final, Literal

import torch
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from datamodules.batches import LONGEST_S, SHORTEST_S
from datamodules.motion_files import known_suffixes
from experiments.studio.guard import Guard
from experiments.studio.jobs import BusyError, Job, Workbench
from experiments.studio.motions import START, KeptMotion, Motions
from experiments.studio.page import render_gone, render_studio
from experiments.studio.spec import slug, write_spec
from experiments.studio.wearing import Told, Wearing, remember, settle
from sim.body import Body
from sim.imu import simulate
from sim.sensor_errors import SensorErrors
from sim.show.data import TimeSpan, pack, with_sensors

MOST_UPLOAD_BYTES: Final = 64 * 2**20
MOST_WORDS_BYTES: Final = 64 * 2**10
MOST_LETTERS: Final = 300
FileKind = Literal["readings.parquet", "readings.csv", "motion.npz", "dataset.yaml"]


class Sentence(Told):
    """What a motion is to be made of."""

    prompt: str
    seconds: float
    seed: int


class Keeping(Wearing):
    """What is to be saved, under which label."""

    label: str = ""


def make_app(*, port: int, prior: str, bench: Workbench | None = None) -> FastAPI:
    """Return the server's application.

    Args:
        port: that it is reached by; requests for other hosts are refused.
        prior: weights that sentences are given to.
        bench: what makes motions; one of its own if None.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, port=port, most_bytes=MOST_UPLOAD_BYTES)
    _add_errors(app)
    motions, turn = Motions(prior), threading.Lock()
    _add_pages(app, motions)
    _add_jobs(app, motions, bench or Workbench())
    _add_readings(app, motions, turn)
    return app


def _add_pages(app: FastAPI, motions: Motions) -> None:
    @app.get("/")
    def start() -> HTMLResponse:
        return HTMLResponse(render_studio(motions.find(START)))

    @app.get("/motions/{name}")
    def page(name: str) -> HTMLResponse:
        try:
            return HTMLResponse(render_studio(motions.find(name)))
        except FileNotFoundError as error:
            return HTMLResponse(render_gone(str(error)), 404)


def _add_jobs(app: FastAPI, motions: Motions, bench: Workbench) -> None:
    def begin(work: Callable[[Job], str]) -> dict[str, str]:
        return {"job": bench.start(work, explain).name}

    @app.post("/motions")
    def make(sentence: Sentence) -> dict[str, str]:
        _check_sentence(sentence)
        return begin(lambda job: motions.make(job, sentence.prompt, sentence.seconds, sentence.seed))

    @app.post("/files")
    async def read(
        request: Request, name: Annotated[str, Query(max_length=255)], fps: float | None = None
    ) -> dict[str, str]:
        file_name = check_file_name(name)
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > MOST_UPLOAD_BYTES:
                raise ValueError(f"{file_name} is larger than {MOST_UPLOAD_BYTES / 1e6:.0f} MB; cut it")
        return begin(lambda job: motions.read(job, bytes(content), file_name, fps))

    @app.get("/jobs/{name}")
    def ask(name: str) -> Response:
        job = bench.find(name)
        if job is None:
            raise FileNotFoundError("nothing is known of this work any more; begin it anew")
        return JSONResponse(job.told())


def _add_readings(app: FastAPI, motions: Motions, turn: threading.Lock) -> None:
    @app.post("/readings")
    def readings(wearing: Wearing) -> Response:
        kept, body = motions.find(wearing.motion), Body.default()
        sites, placements = settle(wearing, body)
        with turn:
            clip = with_sensors(
                kept.drawn,
                kept.motion,
                body,
                placements,
                rate_hz=wearing.rate_hz,
                stretch=TimeSpan(),
                errors=SensorErrors.preset(wearing.device),
                generator=torch.Generator().manual_seed(kept.seed),
            )
        arrays = {name: pack(getattr(clip, name)) for name in ("sensor_poses", "accel", "gyro")}
        return JSONResponse(
            {
                "sites": remember(sites, placements, body),
                "names": clip.names,
                "rate_hz": clip.rate_hz,
                "first_sample": clip.first_sample,
                "arrays": arrays,
            }
        )

    @app.post("/save/{kind}")
    def save(kind: FileKind, keeping: Keeping) -> Response:
        kept = motions.find(keeping.motion)
        with turn:
            content = _write(kind, kept, keeping, motions.prior)
        stem = slug(keeping.label or kept.title, "motion")
        name = f"{stem}.{kind}" if kind == "dataset.yaml" else f"{stem}.{kind.split('.')[1]}"
        return Response(
            content,
            media_type="application/octet-stream",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )


def _write(kind: FileKind, kept: KeptMotion, keeping: Keeping, prior: str) -> bytes:
    body = Body.default()
    sites, placements = settle(keeping, body)
    if kind == "dataset.yaml":
        return write_spec(
            kept, sites, label=keeping.label, rate_hz=keeping.rate_hz, device=keeping.device, prior=prior
        ).encode()
    with tempfile.TemporaryDirectory(prefix="imuforge-studio-") as folder:
        path = Path(folder) / kind
        if kind == "motion.npz":
            kept.motion.save(path)
        else:
            with torch.no_grad():
                simulate(
                    kept.motion,
                    body,
                    placements,
                    rate_hz=keeping.rate_hz,
                    errors=SensorErrors.preset(keeping.device),
                    generator=torch.Generator().manual_seed(kept.seed),
                ).save(path)
        return path.read_bytes()


def check_file_name(name: str) -> str:
    """Return the name that an uploaded file is given: its last part, of letters that every file system has.

    Raises:
        ValueError: its suffix is none of a motion file.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePath(name.replace("\\", "/")).name).lstrip(".")[-100:]
    if not plain.lower().endswith(tuple(known_suffixes())) or PurePath(plain).stem == "":
        raise ValueError(f"{name[:100]!r} is no motion file, expected one of {', '.join(known_suffixes())}")
    return plain


def explain(error: BaseException) -> str:
    """Return one line for what went wrong; of a bug, that it is one."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; try something shorter"
    line = " ".join(str(error).split())[:500]
    if isinstance(error, (ValueError, FileNotFoundError, ModuleNotFoundError, BusyError)):
        return line
    return f"this is a fault of the studio ({type(error).__name__}: {line[:200]}); please report it"


def _check_sentence(sentence: Sentence) -> None:
    if not sentence.prompt.strip():
        raise ValueError('the sentence is blank, expected words such as "a person walks"')
    if len(sentence.prompt) > MOST_LETTERS:
        raise ValueError(f"the sentence has {len(sentence.prompt)} letters, expected up to {MOST_LETTERS}")
    if not (math.isfinite(sentence.seconds) and SHORTEST_S <= sentence.seconds <= LONGEST_S):
        raise ValueError(f"seconds is {sentence.seconds:g}, expected {SHORTEST_S:g} to {LONGEST_S:g}")
    if not 0 <= sentence.seed < 2**63:
        raise ValueError(f"the seed is {sentence.seed}, expected a whole number from 0")


def _add_errors(app: FastAPI) -> None:
    def answer(status: int) -> Callable[[Request, Exception], JSONResponse]:
        return lambda _, error: JSONResponse({"error": explain(error)}, status)

    def refuse(_: Request, error: Exception) -> JSONResponse:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)

    def nowhere(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return JSONResponse({"error": "there is nothing here; the studio is at /"}, status)

    for kind, status in ((ValueError, 400), (ModuleNotFoundError, 400), (FileNotFoundError, 404), (BusyError, 409)):
        app.add_exception_handler(kind, answer(status))
    app.add_exception_handler(RequestValidationError, refuse)
    app.add_exception_handler(HTTPException, nowhere)
    app.add_exception_handler(Exception, answer(500))
