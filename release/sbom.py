"""The software bill of materials (CycloneDX 1.6): everything that the lock file lets into an installation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from release.lock import Pin


def sbom(name: str, version: str, license: str, wheel: str, pinned: Iterable[Pin], when: int) -> str:
    """The bill as JSON, the same for the same input. `wheel` is the SHA-256 of ours, `when` is in seconds since 1970.

    A version has a file for each platform, and the lock file the hash of each: they stand with the component's
    reference of the kind `distribution`, because a component's own hashes would be those of one file.
    """
    pinned = list(pinned)
    ours = Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=name,
        licenses=[LicenseFactory().make_from_string(license)],
        hashes=[_sha256(wheel)],
    )
    parts = {pin.name: _part(pin) for pin in pinned}
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, repr((name, version, wheel, pinned))),
        metadata=BomMetaData(component=ours, timestamp=datetime.fromtimestamp(when, UTC)),
        components=parts.values(),
    )
    for needing, component in ((name, ours), *parts.items()):
        bom.register_dependency(component, [parts[pin.name] for pin in pinned if needing in pin.needed_by])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _part(pin: Pin) -> Component:
    address = PackageURL("pypi", name=pin.name, version=pin.version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(address.to_string()),
        hashes=[_sha256(each) for each in pin.hashes],
    )
    return Component(
        name=pin.name, version=pin.version, bom_ref=address.to_string(), purl=address, external_references=[files]
    )


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
