"""Plugins: finding, configuring, ordering and surviving them. Their authors import `SiteFacts` from here."""

from engine.plugins.loading import SiteFacts

__all__ = ["SiteFacts"]
