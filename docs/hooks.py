"""For MkDocs: the pages that lie beside docs/ (README.md and others) become pages of the site, with their links put
right; and no page may load anything from the net."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
BESIDE = {"README.md": "index.md", "CONTRIBUTING.md": "", "SECURITY.md": "", "CHANGELOG.md": ""}
"""Files of the repository by what they are called on the site, when that is another name."""

LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
FETCHED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"', re.IGNORECASE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages beside docs/."""
    for name, other in BESIDE.items():
        text = LINK.sub(lambda link: _on_site(link[1].removeprefix("docs/")), (ROOT / name).read_text())
        files.append(File.generated(config, other or name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of pages in docs/ to those beside it."""
    return LINK.sub(lambda link: _on_site(link[1].removeprefix("../")), markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that fetches something from elsewhere when it is read."""
    if fetched := FETCHED.search(output):
        raise PluginError(f"{page.file.src_uri} fetches from the net: {fetched[0]}")
    return output


def _on_site(link: str) -> str:
    return BESIDE.get(link) or link
