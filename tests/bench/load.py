"""A load of keep-alive connections, in a process of its own. Bounded in requests and seconds."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

LONGEST_SECONDS = 120


async def connection(
    port: int, requests: Iterator[bytes], statuses: Counter[str], until: float
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        if time.monotonic() > until:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        statuses[head[9:12].decode()] += 1
    writer.close()


def posts(spec: dict[str, Any]) -> Iterator[bytes]:
    """Make the requests: all alike, or each of a payment of its own."""
    for number in range(spec["requests"]):
        payment_id = f"{spec['prefix']}{number if spec['fresh'] else 0}"
        body = json.dumps({"paymentId": payment_id, "requestId": "request-1"})
        lines = [
            f"POST {spec['path'].format(payment_id)} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            *(f"{name}: {value}" for name, value in spec["headers"].items()),
            f"Content-Length: {len(body)}",
        ]
        yield ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def main(spec: dict[str, Any]) -> None:
    requests, statuses = posts(spec), Counter[str]()
    started = time.monotonic()
    until = started + min(LONGEST_SECONDS, spec["seconds"])
    await asyncio.gather(
        *(connection(spec["port"], requests, statuses, until) for _ in range(spec["connections"]))
    )
    sys.stdout.write(json.dumps({"seconds": time.monotonic() - started, "statuses": statuses}))


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
