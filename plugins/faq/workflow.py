"""An entry of the FAQ: its history says who wrote, showed and hid it, and when."""

from engine.definition import Start, State, Transition, Workflow
from engine.text import _
from plugins.faq import rules
from workflows.business.parties import STAFF

FAQ_ENTRY = Workflow(
    name="faq_entry",
    version=1,
    title=_("よくあるご質問"),
    start=Start(
        "hidden",
        allow=STAFF,
        guards=(rules.entry_is_new, rules.product_is_known),
        writes=(rules.keep_entry,),
    ),
    states=(
        State("hidden", _("非公開")),
        State("shown", _("公開中")),
        State("removed", _("削除済み"), final=True),
    ),
    transitions=(
        Transition(
            "edit",
            ("hidden",),
            "hidden",
            allow=STAFF,
            title=_("保存する"),
            guards=(rules.product_is_known,),
            writes=(rules.rewrite_entry,),
        ),
        Transition(
            "edit",
            ("shown",),
            "shown",
            allow=STAFF,
            title=_("保存する"),
            guards=(rules.product_is_known,),
            writes=(rules.rewrite_entry,),
        ),
        Transition("show", ("hidden",), "shown", allow=STAFF, title=_("公開する"), writes=(rules.show_entry,)),
        Transition("hide", ("shown",), "hidden", allow=STAFF, title=_("非公開にする"), writes=(rules.hide_entry,)),
        Transition("remove", ("hidden",), "removed", allow=STAFF, title=_("削除する"), writes=(rules.hide_entry,)),
    ),
)
