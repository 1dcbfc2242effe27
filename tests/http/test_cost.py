"""What a request costs, exactly: instructions of ours, and system calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.server import by_process, parse, serving

#: What curl sends.
CURL = (
    b"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
    b"User-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
)
#: The head of a simple client: 80 bytes.
SHORT = b"GET /1k.bin HTTP/1.1\r\nHost: testserver:49152\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
#: What Chromium sends for a typed address: 640 bytes.
BROWSER = (
    b"GET /1k.bin HTTP/1.1\r\n"
    b"Host: 127.0.0.1:49152\r\n"
    b"Connection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"\r\n'
    b"sec-ch-ua-mobile: ?0\r\n"
    b'sec-ch-ua-platform: "macOS"\r\n'
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36"
    b" (KHTML, like Gecko) Chrome/130.0.6723.91 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    b"image/apng,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: none\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-User: ?1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-US,en;q=0.9\r\n"
    b"\r\n"
)


def cost(tree: Path, folder: Path, head: bytes) -> tuple[int, int, list[str]]:
    """Instructions in the child, in the parent, and the names of all calls.

    The second of two equal requests is measured: what the first sets up is not its.
    """
    with serving(tree, folder, trace=True) as server:
        for _ in range(2):
            reply = parse(server.raw(head))
            assert (200, 1024) == (reply.status, len(reply.body))
            assert [] == server.settle()
        calls = by_process(server.process.trace())
    parent = calls[1]
    accepts = [at for at, event in enumerate(parent) if event.name == "accept"]
    own = parent[accepts[0] + 1:accepts[1] + 1]
    child = calls[3][1:]            # the fork itself is the parent's
    names = [event.name for event in own + child]
    return sum(e.instructions for e in child), sum(e.instructions for e in own), names


@pytest.mark.parametrize(("head", "size", "limit"), [
    (SHORT, 80, 1500), (CURL, 83, 1500), (BROWSER, 640, 3500),
])
def test_a_get_of_1_kb_stays_within_its_budget(
    tree: Path, folder: Path, head: bytes, size: int, limit: int
) -> None:
    assert size == len(head)
    child, parent, names = cost(tree, folder, head)
    assert child <= limit, f"{child} instructions in the child"
    assert parent <= 40, f"{parent} instructions in the parent"
    assert len(names) <= 14, names
