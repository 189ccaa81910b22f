"""The cookies that are made for consistent hashing."""

from __future__ import annotations

from support.decisions import cluster, to
from support.scripted import gateway, get, upstream

from chaos.mesh.decision import Balancing, HashKey

KEY = HashKey(
    cookie=b"user", cookie_path=b"/", cookie_ttl=60.0, cookie_attributes=((b"SameSite", b"Lax"), (b"Secure", b""))
)


async def test_a_client_without_the_cookie_is_given_one_and_keeps_its_endpoint() -> None:
    """The requests of one connection are given the same; with the cookie none is made."""
    async with upstream() as one, upstream() as other:
        rules = to(cluster(one.port, other.port, balancing=Balancing.CONSISTENT_HASH), hash_keys=(KEY,))
        async with gateway(rules) as proxy:
            client = await proxy.open()
            made = [(await client.ask(get())).first("set-cookie") for _ in range(10)]
            assert len(set(made)) == 1
            value, *attributes = made[0].split("; ")
            assert attributes == ["Max-Age=60", "Path=/", "SameSite=Lax", "Secure", "HttpOnly"]
            assert 0 in (len(one.heads), len(other.heads))
            assert value != (await proxy.ask(get())).first("set-cookie").split("; ")[0]
            before = len(one.heads), len(other.heads)
            for _ in range(10):
                assert (await proxy.ask(get("/", f"cookie: a=b; {value}"))).values("set-cookie") == []
            after = len(one.heads), len(other.heads)
            assert after in ((before[0] + 10, before[1]), (before[0], before[1] + 10))
