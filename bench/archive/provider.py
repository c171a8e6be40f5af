"""A provider that costs next to nothing: `python -m bench.archive.provider` serves videos of any length on a free port.

`GET /openai/v1/videos/BYTES-NUMBER/content` is a whole MP4 of so many bytes, another one for each number.
"""

from __future__ import annotations

import asyncio
import re

PIECE = bytes(range(256)) * 4096  # 1 MiB
_TARGET = re.compile(rb"GET /openai/v1/videos/(\d+)-(\d+)/content[? ]")


def box(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    """`length`: of the body as the box says it, where it is not all here. A 64-bit header serves any."""
    return (1).to_bytes(4, "big") + kind + ((len(body) if length is None else length) + 16).to_bytes(8, "big") + body


def head(length: int, number: int) -> bytes:
    """The beginning of a video of so many bytes in all: everything but the media itself."""
    mvhd = bytes(12) + (1000).to_bytes(4, "big") + (4000).to_bytes(4, "big") + bytes(80)
    first = box(b"ftyp", b"isom" + number.to_bytes(4, "big")) + box(b"moov", box(b"mvhd", mvhd))
    return first + box(b"mdat", b"", length - len(first) - 16)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while found := _TARGET.match(await reader.readuntil(b"\r\n\r\n")):
            length, number = int(found[1]), int(found[2])
            begin = head(length, number)
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nAccept-Ranges: bytes\r\n"
                + f'ETag: "{length}-{number}"\r\nContent-Length: {length}\r\n\r\n'.encode()
                + begin
            )
            left = length - len(begin)
            while left:
                await writer.drain()
                writer.write(PIECE if left >= len(PIECE) else PIECE[:left])
                left -= min(left, len(PIECE))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
