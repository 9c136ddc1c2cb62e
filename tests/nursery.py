"""The process from which servers are forked, in which all that they import is there: ``python -m tests.nursery SOCKET``.

An order is the path of a vault's configuration and the Python that a server runs first, in JSON, with three files: the server's
stdout, its stderr, and where a parent of its own tells its pid and, once it is gone, its exit code. A server that is told to end
ends as any Python process does.
"""

import gc
import json
import os
import signal
import socket
import sys
from pathlib import Path

# What some of them import only when they need it.
import vault.cli.main
import vault.kms.transit.key_manager
import vault.witness.serving  # noqa: F401
from vault.server import config, logs, serve

ORDER_BYTES = 64 * 1024


def next_server(orders: socket.socket) -> tuple[str, str]:
    """Obey until nobody gives orders; returns only in the servers, with the order."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the parents
    gc.freeze()  # what was imported is left out of each child's collections: they would copy all of it, above all at its end
    while True:
        order, files, _, _ = socket.recv_fds(orders, ORDER_BYTES, 3)
        if not order:
            sys.exit()
        if not os.fork():
            orders.close()
            _become_server_of_a_parent(*files)
            settings, prelude = json.loads(order)
            return settings, prelude
        for file in files:
            os.close(file)


def _become_server_of_a_parent(stdout: int, stderr: int, told: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    server = os.fork()
    if not server:
        for file, number in ((stdout, 1), (stderr, 2)):
            os.dup2(file, number)
            os.close(file)
        os.close(told)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    os.close(stdout)
    os.write(told, b"%d\n" % server)
    _, status = os.waitpid(server, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    settings_file, first = next_server(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[1] = settings_file
    exec(first)  # noqa: S102  a test's own words
    logs.configure()
    serve.serve(config.load(Path(settings_file)), lambda address: print(address, flush=True))  # noqa: T201  to whoever started it
