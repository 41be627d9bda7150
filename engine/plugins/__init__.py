"""Plugins: finds, configures, orders and survives them. Their authors import `SiteFacts` from here."""

from engine.plugins.site_facts import SiteFacts

__all__ = ["SiteFacts"]
