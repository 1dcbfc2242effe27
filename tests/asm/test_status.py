"""http/status: every status the server can send, and every errno it may meet."""

from __future__ import annotations

import http
import re

from support.contract import Asm, everything

from ymawky_kit.darwin import errno

SENT = {
    200, 201, 204, 206, 301, 304, 400, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 416,
    417, 421, 431, 500, 501, 503, 505, 507,
}
#: The IANA registry calls some by other names than Python does.
NAMES = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable",
         421: "Misdirected Request"}


def text(asm: Asm, status: int) -> tuple[bytes, bytes]:
    result = asm.call("status_text", status)
    return (asm.peek(result["x0"], result["x1"]), asm.peek(result["x2"], result["x3"]))


def test_every_status_has_its_registered_name(asm: Asm) -> None:
    for status in SENT:
        name = NAMES.get(status, http.HTTPStatus(status).phrase)
        line, sentence = text(asm, status)
        assert f"{status} {name}".encode() == line
        assert len(line) <= 48, "reply_text takes no more"
        assert status in (200, 201, 204, 206, 304) or re.fullmatch(rb"[A-Z][^<>&]+\.", sentence)


def test_an_unknown_status_is_500(asm: Asm) -> None:
    assert text(asm, 500) == text(asm, 299)


def test_every_status_in_the_sources_is_in_the_table(asm: Asm) -> None:
    used = {
        int(found)
        for contract in everything()
        for line in contract.instructions
        for found in re.findall(r"^mov +[wx]\d+, #([2345]\d\d)$", line)
        if contract.module.startswith(("http/", "fs/", "serve/", "stub/"))
    }
    assert used <= SENT


def test_errnos_become_statuses(asm: Asm) -> None:
    want = {
        "ENOENT": 404, "ENOTDIR": 404, "ENAMETOOLONG": 404, "EILSEQ": 404, "EACCES": 403,
        "EPERM": 403, "ELOOP": 403, "EOPNOTSUPP": 403, "ENXIO": 403, "EMFILE": 503, "ENFILE": 503,
        "ENOMEM": 503, "EIO": 500, "EINVAL": 500, "EFAULT": 500, "EINTR": 500,
        "ENOSPC": 507, "EDQUOT": 507, "EROFS": 403, "EISDIR": 409, "EFBIG": 413,
    }
    for name, status in want.items():
        assert status == asm.call("status_from_errno", getattr(errno, name)).value, name
