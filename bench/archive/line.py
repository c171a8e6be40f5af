"""A long line: `python -m bench.archive.line PORT MS` passes connections on to a port, each byte so much later.

What is on its way does not wait for what is before it: only the delay is long, not the capacity small.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_IN_FLIGHT = 256  # pieces of 64 KiB each way


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    clock = asyncio.get_running_loop().time
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)

    async def write() -> None:
        while True:
            due, data = await pieces.get()
            await asyncio.sleep(due - clock())
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    writing = asyncio.create_task(write())
    with suppress(OSError):
        while data := await reader.read(64 * 1024):
            await pieces.put((clock() + delay_s, data))
    await pieces.put((clock(), b""))
    with suppress(OSError):
        await writing


async def main(port: int, delay_s: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, far, delay_s), pump(far_reader, writer, delay_s))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
