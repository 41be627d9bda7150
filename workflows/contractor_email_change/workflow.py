"""E-mail変更 (G34, G41): asked, mailed to both addresses, confirmed by the new one; the old one may object."""

from engine.definition import LINK_HOLDER, SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import ACCOUNT_EDITOR
from workflows.business.shared import address_change
from workflows.contractor_email_change import rules

_FORGET = (Timer("forget", after=address_change.KEPT_FOR),)

CONTRACTOR_EMAIL_CHANGE = Workflow(
    name="contractor_email_change",
    version=1,
    title=_("E-mail変更"),
    link="c",
    recipients=address_change.RECIPIENTS,
    mail_context=address_change.mail_context,
    start=Start(
        "requested",
        allow=ACCOUNT_EDITOR,
        guards=(rules.address_differs,),
        writes=(rules.keep_contractor_change,),
        conflicts=(address_change.ONE_CHANGE_AT_A_TIME,),
        effects=(
            Mail("contractor_email_confirm", to="new", done="sent", link=True),
            Mail("contractor_email_notice", to="old", cc="account", link=address_change.STOP),
        ),
    ),
    states=(
        State("requested", _("受付済み"), timers=(Timer("expire", after=address_change.MAILED_WITHIN),)),
        State("emailed", _("確認待ち"), timers=(Timer("expire", after=address_change.CONFIRM_WITHIN, deadline=True),)),
        State("confirmed", _("変更完了"), timers=(Timer("finish", after=address_change.UNDO_WITHIN),)),
        State("stopped", _("中止"), timers=_FORGET),
        State("undone", _("元に戻しました"), timers=_FORGET),
        State("withdrawn", _("取り下げ済み"), timers=_FORGET),
        State("expired", _("期限切れ"), timers=_FORGET),
        State("done", _("変更完了（終了）"), final=True),
        State("closed", _("終了"), final=True),
    ),
    transitions=(
        Transition("sent", ("requested",), "emailed", allow=SYSTEM),
        Transition(
            "confirm",
            ("requested", "emailed"),
            "confirmed",
            allow=LINK_HOLDER,
            title=_("このメールアドレスに変更する"),
            guards=(rules.no_import_is_faster, rules.address_is_still_the_old_one),
            writes=(rules.take_new_address,),
            effects=(
                Mail("contractor_email_changed", to="new", cc="account"),
                Mail("contractor_email_changed_notice", to="old", link=address_change.STOP),
            ),
        ),
        Transition(
            "stop",
            ("requested", "emailed"),
            "stopped",
            allow=address_change.OLD_ADDRESS_HOLDER,
            title=_("変更を中止する"),
            writes=(address_change.close_change,),
            effects=(Mail("contractor_email_kept", to="old", cc="account"),),
        ),
        Transition(
            "undo",
            ("confirmed",),
            "undone",
            allow=address_change.OLD_ADDRESS_HOLDER,
            title=_("元のメールアドレスに戻す"),
            guards=(rules.no_import_is_faster, rules.address_is_still_the_new_one),
            writes=(rules.put_old_address_back,),
            effects=(Mail("contractor_email_kept", to="old", cc="account"),),
        ),
        Transition(
            "withdraw",
            ("requested", "emailed"),
            "withdrawn",
            allow=ACCOUNT_EDITOR,
            title=_("取り下げる"),
            writes=(address_change.close_change,),
        ),
        Transition("expire", ("requested", "emailed"), "expired", allow=SYSTEM, writes=(address_change.close_change,)),
        Transition("finish", ("confirmed",), "done", allow=SYSTEM, writes=(address_change.forget_change,)),
        Transition(
            "forget",
            ("stopped", "undone", "withdrawn", "expired"),
            "closed",
            allow=SYSTEM,
            writes=(address_change.forget_change,),
        ),
    ),
)
