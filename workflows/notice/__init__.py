"""お知らせ (G7, G29): outages and maintenance, support news; how staff publish them and how they reach customers."""

from workflows.notice.announcing import Announcer
from workflows.notice.plugin_needs import channels
from workflows.notice.records import Notice, NoticeDelivery, NoticeRevision
from workflows.notice.version_1 import NOTICE_1
from workflows.notice.workflow import NOTICE
from workflows.procedure import Procedure

__all__ = ["NOTICE", "NOTICE_1", "PROCEDURE"]

PROCEDURE = Procedure(
    (NOTICE_1, NOTICE),
    effects={"notice": lambda services, _engine: Announcer(services)},
    records=(
        Notice,
        NoticeRevision,
        NoticeDelivery,
    ),
    plugin_needs=(channels,),
)
