"""Serve the studio on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import threading
import webbrowser
from importlib.util import find_spec
from typing import Final

from experiments.pipeline.one_line_errors import print_line

HOST: Final = "127.0.0.1"
"""The only address that is ever bound."""

PACKAGES: Final = ("fastapi", "uvicorn", "plotly")
SHUTDOWN_S: Final = 1
BROWSER_AFTER_S: Final = 1.0


def run_studio(*, port: int, browser: bool = True, prior: str = "prior") -> None:
    """Serve the page until the process is interrupted.

    Args:
        port: of 127.0.0.1; 0 takes a free one.
        browser: open the page in a browser.
        prior: packaged weights, a file, a folder or ``hf:owner/name``; loaded when the first sentence comes.

    Raises:
        FileNotFoundError: the weights are missing.
        ValueError: the extra ``studio`` is not installed, the port is taken or none, or the weights are none.
    """
    require_packages()
    listener = listen(port)
    from lightning_modules.weights import find_weights

    if not prior.startswith("hf:"):
        find_weights(prior)
    import uvicorn

    from experiments.studio.app import make_app
    from experiments.studio.jobs import Workbench

    bench = Workbench()
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(port=listener.getsockname()[1], prior=prior, bench=bench),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )
    print_line(f"studio at {address}, for this machine only; Ctrl-C ends it")
    if browser:
        timer = threading.Timer(BROWSER_AFTER_S, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends in order, and hands the signal on
        server.run(sockets=[listener])
    print_line("studio ended; what was not saved is gone")
    if bench.is_busy:  # Python would end a thread that is inside torch by aborting
        sys.stdout.flush()
        os._exit(0)


def require_packages() -> None:
    """Make sure that what the page needs is installed.

    Raises:
        ValueError: it is not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(f"{', '.join(missing)} not installed, expected for the studio; pip install 'imuforge[studio]'")


def listen(port: int) -> socket.socket:
    """Take a port of 127.0.0.1.

    Raises:
        ValueError: it is taken, reserved or none.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port is {port}, expected 0 to 65535; give --port 7861 or the like")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere the option would share a port that is in use
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        what = "taken" if error.errno == errno.EADDRINUSE else f"not to be had ({error.strerror})"
        raise ValueError(f"port {port} of {HOST} is {what}, expected a free one; give another with --port") from error
    return listener
