"""パスワードを忘れた方: asked for, looked up, mailed, and set by the link within the hour or expired."""

from datetime import timedelta

from engine.definition import LINK_HOLDER, SYSTEM, Mail, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.shared.own_account import RECIPIENTS, mail_context, set_password
from workflows.password_reset import rules

_PATIENCE = timedelta(hours=6)  # people wait no longer for such a mail; they ask again

PASSWORD_RESET = Workflow(
    name="password_reset",
    version=1,
    title=_("パスワードの再設定"),
    link="p",
    recipients=RECIPIENTS,
    mail_context=mail_context,
    start=Start("asked"),
    states=(
        State("asked", _("受付済み"), timers=(Timer("look", at=rules.at_once),)),
        State("requested", _("メール送信待ち"), timers=(Timer("expire", after=_PATIENCE),)),
        State("emailed", _("メール送信済み"), timers=(Timer("expire", after=timedelta(hours=1), deadline=True),)),
        State("reset", _("再設定完了"), final=True),
        State("expired", _("期限切れ"), final=True),
        State("nobody", _("該当するアカウントなし"), final=True),
    ),
    transitions=(
        Transition(
            "look",
            ("asked",),
            "requested",
            allow=SYSTEM,
            guards=(rules.account_is_there,),
            writes=(rules.make_this_the_only_link,),
            effects=(
                Mail("password_reset", to="account", done="sent", link=True, retry=Retry(deadline=2 * _PATIENCE)),
            ),
        ),
        Transition("look", ("asked",), "nobody", allow=SYSTEM),
        Transition("sent", ("requested",), "emailed", allow=SYSTEM),
        Transition(
            "reset",
            ("requested", "emailed"),
            "reset",
            allow=LINK_HOLDER,
            title=_("パスワードを設定する"),
            guards=(rules.link_is_the_newest, rules.link_is_still_the_newest),
            writes=(set_password, rules.end_all_sessions),
            effects=(Mail("password_was_reset", to="account"),),
        ),
        Transition("expire", ("requested", "emailed"), "expired", allow=SYSTEM, writes=(rules.forget_link,)),
    ),
)
