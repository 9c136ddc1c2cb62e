"""Processes that start within a moment: forked from one that has imported everything (see ``tests/nursery.py``)."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path


class Forked:
    """A forked server, for whom it is as a child of ``subprocess.Popen``."""

    def __init__(self, stdout: int, told: int) -> None:
        """It writes into ``stdout``; its pid and its end are told by the other."""
        self.stdout = os.fdopen(stdout, "rb")
        self._told = os.fdopen(told, "rb", buffering=0)
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, or minus the signal that ended it, once it has ended."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked server", timeout or 0)
            self.returncode = int(self._told.readline())
        return self.returncode

    def poll(self) -> int | None:
        """The same; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def communicate(self) -> tuple[str, int]:
        """What it writes until it has ended, and its exit code."""
        with self.stdout:
            said = self.stdout.read().decode()
        return said, self.wait()

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks them."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.nursery", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self._turn = threading.Lock()

    def fork(self, settings: Path, log: int, prelude: str) -> Forked:
        """A server with that configuration; ``log`` is its stderr, and ``prelude`` Python that it runs first."""
        stdout, its_stdout = os.pipe()
        told, its_end = os.pipe()
        with self._turn:  # orders do not run into each other: the next one comes after the answer
            socket.send_fds(self._orders, [json.dumps([str(settings), prelude]).encode()], [its_stdout, log, its_end])
            os.close(its_stdout)
            os.close(its_end)
            return Forked(stdout, told)

    def run(self, log: int, code: str) -> Forked:
        """A process that runs this Python instead of a server; ``log`` is its stderr."""
        return self.fork(Path(), log, f"{code}\nraise SystemExit")

    def close(self) -> None:
        """End the process; servers go on."""
        self._orders.close()
        self._process.wait()


@cache
def nursery() -> Nursery:
    """The one of this test process, from the first server on."""
    made = Nursery()
    atexit.register(made.close)
    return made
