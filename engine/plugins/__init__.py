"""Plugins: finds, configures, orders and survives them. Their authors import from here what a plugin is given:
`SiteFacts`, and the `Host` with its HTTP client. `opener_of` and `origin` are for a client of one's own."""

from engine.plugins.host import Host
from engine.plugins.http_client import HttpClient, HttpResponse, NotReached, opener_of, origin
from engine.plugins.site_facts import SiteFacts

__all__ = ["Host", "HttpClient", "HttpResponse", "NotReached", "SiteFacts", "opener_of", "origin"]
