"""What a client is left with, for three of them: one of ours, aiohttp, and curl as a process."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from support.raw_client import Answer, read_answer

TIMEOUT = 0.25  # seconds; only responses that never come whole take as long


@dataclass(frozen=True)
class Outcome:
    """A status, 0 without a head; the body as far as it came; and the error that ended it, if any."""

    status: int
    body: bytes
    error: str = ""  # reset, closed, timeout


async def ours(port: int, method: str = "GET") -> Outcome:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} / HTTP/1.1\r\nhost: web\r\n\r\n".encode())
    answer, error = Answer(), ""
    try:
        async with asyncio.timeout(TIMEOUT):
            await read_answer(reader, writer, answer, method == "HEAD")
    except TimeoutError:
        error = "timeout"
    except ConnectionResetError:
        error = "reset"
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as ended:
        answer.body += ended.partial if isinstance(ended, asyncio.IncompleteReadError) and answer.status else b""
        error = "closed"
    writer.transport.abort()
    return Outcome(answer.status, answer.body, error)


async def with_aiohttp(port: int, method: str = "GET") -> Outcome:
    status, body, error = 0, b"", ""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        try:
            url = f"http://127.0.0.1:{port}/"
            async with session.request(method, url, headers={"host": "web"}, allow_redirects=False) as response:
                status = response.status
                async for piece in response.content.iter_any():
                    body += piece
        except TimeoutError:
            error = "timeout"
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as ended:
            error = "reset" if "reset by peer" in f"{ended} {ended.__cause__} {ended.__context__}" else "closed"
        except (aiohttp.ClientOSError, ConnectionResetError):
            error = "reset"
    return Outcome(status, body, error)


_CURL_ERRORS = {0: "", 18: "closed", 28: "timeout", 52: "closed", 56: "reset"}


async def with_curl(port: int, method: str = "GET") -> Outcome:
    command = ["curl", "-s", "--max-time", str(TIMEOUT), "-H", "host: web", "-w", "%{http_code}"]
    command += ["-I"] if method == "HEAD" else ["-X", method]
    with TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        process = await asyncio.create_subprocess_exec(
            *command, "-o", str(body), f"http://127.0.0.1:{port}/", stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        got = body.read_bytes() if body.exists() and method != "HEAD" else b""
    assert process.returncode is not None
    return Outcome(int(printed), got, _CURL_ERRORS[process.returncode])


CLIENTS: dict[str, Callable[..., Awaitable[Outcome]]] = {"ours": ours, "aiohttp": with_aiohttp}
if shutil.which("curl"):
    CLIENTS["curl"] = with_curl
