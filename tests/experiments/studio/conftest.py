"""A studio with a prior of a few steps, reached through starlette's client, and one that a browser can reach."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior

PORT = 7861


@pytest.fixture(scope="session")
def plain_prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained prior of the real class."""
    torch.manual_seed(0)
    model = MotionDiffusion(width=32, num_layers=1, num_heads=2, feedforward=32, num_steps=40)
    model.statistics.set(torch.zeros(263), torch.full((263,), 0.05))
    path = tmp_path_factory.mktemp("prior") / "plain.safetensors"
    save_prior(model, path, {"purpose": "test"})
    return path


@pytest.fixture(scope="session")
def client(plain_prior: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Starlette's client of a studio; it sends what the page sends."""
    pytest.importorskip("fastapi", reason="fastapi is not installed; pip install 'imuforge[studio]'")
    pytest.importorskip("plotly", reason="plotly is not installed; pip install 'imuforge[studio]'")
    testclient = pytest.importorskip("starlette.testclient", reason="starlette's client wants httpx2")
    from experiments.studio.app import make_app
    from experiments.studio.guard import HEADER

    with contextlib.chdir(tmp_path_factory.mktemp("here")):
        app = make_app(port=PORT, prior=str(plain_prior))
        yield testclient.TestClient(app, base_url=f"http://127.0.0.1:{PORT}", headers={HEADER: "1"})


@pytest.fixture(scope="session")
def served(plain_prior: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a studio that is served, as ``imuforge studio`` does it."""
    pytest.importorskip("plotly", reason="plotly is not installed; pip install 'imuforge[studio]'")
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed; pip install 'imuforge[studio]'")
    pytest.importorskip("fastapi", reason="fastapi is not installed; pip install 'imuforge[studio]'")
    from experiments.studio.app import make_app
    from experiments.studio.command import listen

    with contextlib.chdir(tmp_path_factory.mktemp("here")):
        listener: socket.socket = listen(0)
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(make_app(port=port, prior=str(plain_prior)), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="session")
def finish(client: object) -> Callable[[dict[str, str]], dict[str, object]]:
    """Wait for a job, and return what is said of it in the end."""

    def wait(begun: dict[str, str]) -> dict[str, object]:
        end = time.monotonic() + 120
        while True:
            said = client.get(f"/jobs/{begun['job']}").json()  # type: ignore[attr-defined]
            if said["state"] != "running":
                return said
            assert time.monotonic() < end, said
            time.sleep(0.05)

    return wait
