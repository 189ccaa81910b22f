"""What axe finds wrong with a page as people use it: names, roles, contrast, order."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page) -> list[str]:
    """Each violation with the elements that have it; none for a page that is in order."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{each['id']}: {', '.join(node['html'][:200] for node in each['nodes'])}" for each in found]
