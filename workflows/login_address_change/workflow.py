"""ログイン用メールアドレスの変更: asked, mailed to both addresses, confirmed by the new one; the old one may object."""

from engine.definition import LINK_HOLDER, SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import OWN_ACCOUNT
from workflows.business.shared import address_change
from workflows.business.shared.own_account import current_password_is_right
from workflows.login_address_change import rules

_FORGET = (Timer("forget", after=address_change.KEPT_FOR),)

LOGIN_ADDRESS_CHANGE = Workflow(
    name="login_address_change",
    version=1,
    title=_("ログイン用メールアドレスの変更"),
    link="m",
    recipients=address_change.RECIPIENTS,
    mail_context=address_change.mail_context,
    start=Start(
        "requested",
        allow=OWN_ACCOUNT,
        guards=(current_password_is_right, rules.address_differs, rules.address_is_free_to_ask),
        writes=(rules.keep_login_change,),
        conflicts=(address_change.ONE_CHANGE_AT_A_TIME,),
        effects=(
            Mail("login_address_confirm", to="new", done="sent", link=True),
            Mail("login_address_notice", to="old", link=address_change.STOP),
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
            guards=(
                rules.account_stands_still,
                rules.account_is_there,
                rules.change_was_not_called_off,
                rules.address_is_free,
            ),
            writes=(rules.take_new_address,),
            conflicts=(rules.ONE_ACCOUNT_PER_ADDRESS,),
            effects=(
                Mail("login_address_changed", to="new"),
                Mail("login_address_changed_notice", to="old", link=address_change.STOP),
            ),
        ),
        Transition(
            "stop",
            ("requested", "emailed"),
            "stopped",
            allow=address_change.OLD_ADDRESS_HOLDER,
            title=_("変更を中止する"),
            writes=(address_change.close_change,),
            effects=(Mail("login_address_kept", to="old"),),
        ),
        Transition(
            "undo",
            ("confirmed",),
            "undone",
            allow=address_change.OLD_ADDRESS_HOLDER,
            title=_("元のメールアドレスに戻す"),
            guards=(rules.address_is_still_the_new_one, rules.old_address_is_free),
            writes=(rules.put_old_address_back,),
            conflicts=(rules.ONE_ACCOUNT_PER_ADDRESS,),
            effects=(Mail("login_address_kept", to="old"),),
        ),
        Transition(
            "withdraw",
            ("requested", "emailed"),
            "withdrawn",
            allow=OWN_ACCOUNT,
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
