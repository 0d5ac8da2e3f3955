"""An instant Tranzzo: every order is held, every void succeeds. Its delay is an argument."""

import asyncio
import json
import sys
from itertools import count

IDS = count()


def operation(order_id: str, method: str) -> dict[str, object]:
    return {
        "operation_id": f"operation-{next(IDS)}",
        "payment_id": f"payment-{order_id}",
        "order_id": order_id,
        "mode": "hosted",
        "method": method,
        "amount": 10.5,
        "currency": "UAH",
        "status": "success",
        "status_code": "1000",
    }


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        line, *fields = head.decode("latin-1").split("\r\n")
        lengths = [field[15:] for field in fields if field.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        if delay:
            await asyncio.sleep(delay)
        if line.startswith("GET"):
            answer: object = [operation(line.split()[1].rsplit("/", 1)[1], "auth")]
        else:
            answer = operation(json.loads(body)["order_id"], "void")
        payload = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload)


async def main(port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer, delay)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
