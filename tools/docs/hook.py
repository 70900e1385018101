"""What mkdocs calls while it builds the site: adds the generated pages, and checks the links of what was built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File

from nginxaudit import DOCS, HOME
from nginxaudit.engine.rules.catalogue import builtin
from tools.docs.layers import picture
from tools.docs.links import broken, missing
from tools.docs.site import generated

_LOG = get_plugin_logger("nginxaudit")
_LAYERS = "<!-- picture: layers -->"


def on_config(config: Any) -> Any:
    """The address of the site is the one that nginxaudit prints."""
    config.site_url = DOCS
    config.repo_url, config.repo_name = HOME, "GitHub"
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add what is generated."""
    for path, text in generated():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the picture of the architecture into its place."""
    return markdown.replace(_LAYERS, picture()) if _LAYERS in markdown else markdown


def on_post_build(config: Any) -> None:
    """Fail where a link of the site, or a URL that nginxaudit prints, leads nowhere."""
    site = Path(config.site_dir)
    followed, found = broken(site, DOCS)
    found += missing(site, (rule.url for rule in builtin()), DOCS)
    if found:
        raise PluginError("links that lead nowhere:\n  " + "\n  ".join(found))
    _LOG.info("%d pages, %d links within the site followed", len(list(site.rglob("*.html"))), followed)
