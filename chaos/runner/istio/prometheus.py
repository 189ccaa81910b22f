"""Ask Prometheus how many calls the proxies of a mesh have counted, before a load and after it.

A counter is as old as its last scrape. After the load each has to be scraped once more, so that all of its calls are in
it: that is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any

from chaos.engines.istio.calls import Calls, Series, calls_between, query, series_of
from chaos.errors import EnvironmentFailed

TIMEOUT = 10.0  # seconds for one answer
LONGEST = 90.0  # seconds for the next scrape: intervals are mostly 15 to 60
AGAIN = 1.0


class Counted:
    """The calls to some hosts between `begin` and `end`. Both raise EnvironmentFailed if there is no answer."""

    def __init__(self, url: str, hosts: Collection[str], longest: float = LONGEST):
        self.url, self._hosts, self._longest = url.rstrip("/"), hosts, longest
        self._before: Series = {}
        self._after: Series = {}
        self.whole = False
        """Whether every counter was scraped after the load."""

    async def begin(self) -> None:
        """Note what was counted before the load."""
        self._before, _ = await self._ask(query(self._hosts))

    async def end(self) -> None:
        """Note what was counted, once every counter has been scraped after this moment, or too long has gone by."""
        deadline = time.monotonic() + self._longest
        _, over = await self._ask("vector(1)")
        while True:
            scraped, _ = await self._ask(f"timestamp({query(self._hosts)})")
            self.whole = bool(scraped) and min(scraped.values()) >= over
            if self.whole or time.monotonic() > deadline:
                break
            await asyncio.sleep(AGAIN)
        self._after, _ = await self._ask(query(self._hosts))

    def calls(self, hosts: Collection[str]) -> Calls:
        """Return the calls to some of the hosts."""
        return calls_between(self._before, self._after, hosts)

    async def _ask(self, text: str) -> tuple[Series, float]:
        import httpx

        try:
            async with httpx.AsyncClient(timeout=TIMEOUT) as client:
                response = await client.get(f"{self.url}/api/v1/query", params={"query": text})
                answer: Any = response.json()
            return series_of(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = str(error) or type(error).__name__
            raise EnvironmentFailed(f"--prometheus: {self.url} does not answer: {said}") from None
        except ValueError as error:
            raise EnvironmentFailed(f"--prometheus: {self.url} answers otherwise than Prometheus: {error}") from None
