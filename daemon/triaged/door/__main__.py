"""The door's process; the daemon starts it, and gives it two open sockets.

usage: python -m triaged.door LINE LISTENER LEVEL
LINE is the number of the socket to the daemon, LISTENER that of the one on which requests come in.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys

import uvloop

from triaged import logs
from triaged.door.ingest import Ingest
from triaged.door.outside import Line
from triaged.door.server import Server


async def serve(line_socket: socket.socket, listener: socket.socket) -> None:
    """Take requests until the daemon says to leave."""
    _, line = await asyncio.get_running_loop().create_unix_connection(Line, sock=line_socket)
    opened = await line.opened
    ingest = Ingest(
        line.application,
        doors=opened.doors,
        known=line.known.get if opened.alone else None,
        submit=line.submit,
        tally=lambda: line.tally,
        shake=line.shake,
        repeated=line.repeated,
    )
    server = Server(ingest)
    line.use, line.leave = ingest.use, server.leave
    await server.serve(sockets=[listener])
    line.close()


def main(arguments: list[str]) -> None:
    """Ctrl-C and `kill` reach the whole process group: the daemon decides when its door closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Each sender that keeps its connection costs a file: the usual limit of 1,024 is for programs that use select().
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    line, listener, level = arguments
    logs.set_up(level=level)
    uvloop.run(serve(socket.socket(fileno=int(line)), socket.socket(fileno=int(listener))))


if __name__ == "__main__":
    main(sys.argv[1:])
