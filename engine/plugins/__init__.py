"""Plugins: finds, configures, orders and survives them. Their authors import from here what a plugin is given:
`SiteFacts`, and the `Host` with its HTTP client."""

from engine.plugins.host import Host
from engine.plugins.http_client import HttpClient, HttpResponse, NotReached
from engine.plugins.site_facts import SiteFacts

__all__ = ["Host", "HttpClient", "HttpResponse", "NotReached", "SiteFacts"]
