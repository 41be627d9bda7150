"""ご契約内容変更 as it was first released: a late decision moves the date alone, and its price is compared when it is
booked.

Requests that began on this version end on it, unless an operator migrates them.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Effect, Mail, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import ACCOUNT_EDITOR, STAFF
from workflows.business.shared.change_request import ONE_OPEN_REQUEST, close_request
from workflows.contract_change import extension_points, mails, redating_rules, rules

_APPLY = Effect("billing", "apply", done="applied", retry=Retry(deadline=timedelta(days=7)))

_FAILED = Mail("contract_change_failed", to="contractor", cc="acting", figures=mails.effective_date)
_FAILED_STAFF = Mail("contract_change_failed_staff", to="staff", figures=mails.effective_date)

CONTRACT_CHANGE_1 = Workflow(
    name="contract_change",
    version=1,
    title=_("ご契約内容変更"),
    recipients=mails.RECIPIENTS,
    mail_context=mails.mail_context,
    extension_points=extension_points.points("triage", "accept"),
    start=Start(
        "requested",
        allow=ACCOUNT_EDITOR,
        guards=(
            rules.subject_is_what_changes,
            rules.customer_may_use_the_site,
            rules.change_is_possible,
            rules.contract_is_as_shown,
            rules.date_is_as_shown,
            rules.contract_runs,
            rules.environment_is_free,
        ),
        writes=(rules.keep_change,),
        effects=(Mail("contract_change_receipt", to="contractor", cc="acting", figures=mails.effective_date),),
        conflicts=(ONE_OPEN_REQUEST, rules.ONE_WISH),
        keep=("kind", "effective_on"),
    ),
    states=(
        State("requested", _("受付済み"), timers=(Timer("triage", at=rules.at_once),)),
        State("in_review", _("担当者が確認中"), timers=(Timer("remind", at=rules.review_is_due, deadline=True),)),
        State("accepted", _("承認済み"), timers=(Timer("schedule", at=rules.at_once),)),
        State("scheduled", _("適用待ち"), timers=(Timer("apply", at=rules.effective_day_begins),)),
        State("applying", _("適用処理中")),
        State("applied", _("適用済み"), final=True),
        State("rejected", _("お受けできませんでした"), final=True),
        State("withdrawn", _("取り下げ済み"), final=True),
        State("failed", _("適用できませんでした"), final=True),
    ),
    transitions=(
        Transition(
            "triage",
            ("requested",),
            "in_review",
            allow=SYSTEM,
            guards=(rules.kind_needs_review,),
            effects=(Mail("contract_change_review", to="staff", figures=mails.effective_date),),
        ),
        Transition("triage", ("requested",), "accepted", allow=SYSTEM),
        Transition(
            "accept",
            ("in_review",),
            "accepted",
            allow=STAFF,
            title=_("承認する"),
            guards=(rules.change_still_fits,),
            writes=(redating_rules.fix_effective_date,),
            effects=(Mail("contract_change_accepted", to="contractor", cc="acting", figures=mails.effective_date),),
        ),
        Transition(
            "reject",
            ("in_review",),
            "rejected",
            allow=STAFF,
            title=_("お断りする"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.release_wish, close_request),
            effects=(Mail("contract_change_rejected", to="contractor", cc="acting"),),
        ),
        Transition(
            "remind",
            ("in_review",),
            "in_review",
            allow=SYSTEM,
            effects=(Mail("contract_change_overdue", to="staff", figures=mails.effective_date),),
        ),
        Transition("schedule", ("accepted",), "scheduled", allow=SYSTEM, writes=(redating_rules.fix_effective_date,)),
        Transition(
            "apply",
            ("scheduled",),
            "applying",
            allow=SYSTEM,
            guards=(rules.change_still_fits,),
            effects=(_APPLY,),
        ),
        Transition(
            "apply",
            ("scheduled",),
            "failed",
            allow=SYSTEM,
            writes=(rules.keep_failed_rule, rules.release_wish, close_request),
            effects=(_FAILED, _FAILED_STAFF),
        ),
        Transition(
            "applied",
            ("applying",),
            "applied",
            allow=SYSTEM,
            guards=(rules.contract_can_take_it,),
            writes=(rules.apply_change, rules.release_wish, close_request),
            conflicts=(rules.ONE_CONTRACT_PER_SUBDOMAIN,),
            effects=(Mail("contract_change_applied", to="contractor", cc="acting", figures=mails.effective_date),),
        ),
        # It is in the books and cannot be in the contract: only people can put that right, so both sides hear of it.
        Transition(
            "applied",
            ("applying",),
            "failed",
            allow=SYSTEM,
            writes=(rules.keep_failed_rule, rules.release_wish, close_request),
            effects=(_FAILED, _FAILED_STAFF),
        ),
        # Back to `scheduled`, whose time has come: the effect that was refused ends there, and a new one is made.
        Transition(
            "accept_price",
            ("applying",),
            "scheduled",
            allow=STAFF,
            title=_("新しい料金で適用する"),
            guards=(rules.reason_is_given, rules.new_price_is_known, rules.nothing_is_being_booked),
            writes=(redating_rules.keep_new_price, rules.keep_reason),
            effects=(Mail("contract_change_new_price", to="contractor", cc="acting", figures=mails.effective_date),),
        ),
        Transition(
            "give_up",
            ("applying",),
            "failed",
            allow=STAFF,
            title=_("適用を取りやめる"),
            guards=(rules.reason_is_given, rules.nothing_is_being_booked),
            writes=(rules.keep_reason, rules.release_wish, close_request),
            effects=(_FAILED, _FAILED_STAFF),
        ),
        Transition(
            "withdraw",
            ("requested", "in_review", "accepted", "scheduled"),
            "withdrawn",
            allow=ACCOUNT_EDITOR,
            title=_("取り下げる"),
            writes=(rules.keep_withdrawer, rules.release_wish, close_request),
            effects=(
                Mail("contract_change_withdrawn", to="contractor", cc="withdrawer", figures=mails.effective_date),
            ),
        ),
    ),
)
