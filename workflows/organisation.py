"""The company that runs the site: configuration, with the user guide's values as the defaults.

Another company runs the same software under its own name, by values of its own in `[organisation]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from engine.configuration import Place, patterns, read_one
from engine.configuration.kinds import line, mail_address, one_of, pattern, web_address
from engine.configuration.tables import Table
from engine.errors import ConfigurationError
from engine.text import DEFAULT_LANGUAGE, LANGUAGES, _

CUSTOMER_NUMBER_PATTERN = "A[0-9]{8}"  # G11
_LONGEST_TRIED = 64  # characters: a number of 32, and the prefix that was left out


@dataclass(frozen=True, slots=True)
class Organisation:
    """The company that runs the site, as pages and mails name it (G14, G43, G44).

    `customer_number_pattern` is a regular expression that the whole customer number must match (G11). `staff_email` is
    where the site's mails to the staff go, in `staff_language`; `disk_usage_faq` is the address of the FAQ on disk
    usage (G27), and `opening_mail` the subject of the mail that tells a customer their number (G12).
    """

    site_name: Annotated[str, line(100)] = "クラウド版サポートサイト"
    company: Annotated[str, line(100)] = "株式会社ネオジャパン"
    support_centre: Annotated[str, line(100)] = "クラウド版カスタマーセンター"
    email: Annotated[str, mail_address()] = "cloudsupport@desknets.com"
    phone: Annotated[str, line(50)] = "0120-365-800"
    hours: Annotated[str, line()] = "平日9:00～17:30（土日祝日、弊社指定休日を除く）"
    customer_number_pattern: Annotated[str, pattern()] = CUSTOMER_NUMBER_PATTERN
    mail_from: Annotated[str, mail_address(named=True)] = "aporder@desknets.com"
    staff_email: Annotated[str, mail_address(named=True)] = "cloudsupport@desknets.com"
    staff_language: Annotated[str, one_of(LANGUAGES)] = DEFAULT_LANGUAGE
    disk_usage_faq: Annotated[str, web_address()] = "https://faq.desknets.com/--61276c4d16d50b0023d7d2c7"
    opening_mail: Annotated[str, line()] = "【重要】desknet‘s クラウド開通のご案内"

    def __post_init__(self) -> None:
        try:
            re.compile(self.customer_number_pattern)
        except re.error as error:
            raise ConfigurationError(
                _(
                    "設定 customer_number_pattern「%(pattern)s」は正規表現として読めません（%(reason)s）。",
                    pattern=self.customer_number_pattern,
                    reason=str(error),
                )
            ) from error
        if patterns.ways(self.customer_number_pattern, _LONGEST_TRIED) > patterns.MOST_WAYS:
            raise ConfigurationError(
                _(
                    "設定 customer_number_pattern「%(pattern)s」は照合に時間がかかりすぎます。"
                    "繰り返しの中に繰り返しを置かないでください。",
                    pattern=self.customer_number_pattern,
                )
            )

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Organisation:
        """The defaults, overridden by `settings`. Raises SettingsError."""
        organisation: Organisation = read_one(cls.kind(), settings, Place("settings", "organisation"))
        return organisation

    @classmethod
    def kind(cls, elsewhere: Mapping[str, str] | None = None) -> Table[Organisation]:
        """The kind of the table `[organisation]`; keys of `elsewhere` belong in another place of the settings."""
        return Table(cls, lambda organisation: organisation, elsewhere or {})
