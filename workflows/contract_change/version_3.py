"""ご契約内容変更 as it was released third: an order takes a payment method by its name alone, whether or not it works.

Requests that began on this version end on it, unless an operator migrates them.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Effect, Mail, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import ACCOUNT_EDITOR, STAFF
from workflows.business.shared.change_request import ONE_OPEN_REQUEST, close_request
from workflows.contract_change import extension_points, mails, redating_rules, rules

_APPLY = Effect("billing", "apply", done="applied", retry=Retry(deadline=timedelta(days=7)))

_MOVED = _("適用日・料金の見直し")
_RESTACK = Effect("restack", "others")  # dates anew what was dated on top of it

_FAILED = Mail("contract_change_failed", to="contractor", cc="acting", figures=mails.effective_date)
_REDATED = Mail("contract_change_redated", to="contractor", cc="acting", figures=mails.moved)
_FAILED_STAFF = Mail("contract_change_failed_staff", to="staff", figures=mails.effective_date)

CONTRACT_CHANGE_3 = Workflow(
    name="contract_change",
    version=3,
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
        State("taken_back", _("当社で取り消し済み"), final=True),
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
            guards=(rules.change_still_fits, redating_rules.date_holds, redating_rules.other_price_has_a_reason),
            writes=(redating_rules.keep_redating,),
            effects=(Mail("contract_change_accepted", to="contractor", cc="acting", figures=mails.moved), _RESTACK),
            keep=("effective_on",),
        ),
        Transition(
            "reject",
            ("in_review",),
            "rejected",
            allow=STAFF,
            title=_("お断りする"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.release_wish, close_request),
            effects=(Mail("contract_change_rejected", to="contractor", cc="acting"), _RESTACK),
        ),
        Transition(
            "remind",
            ("in_review",),
            "in_review",
            allow=SYSTEM,
            effects=(Mail("contract_change_overdue", to="staff", figures=mails.effective_date),),
        ),
        Transition("schedule", ("accepted",), "scheduled", allow=SYSTEM),
        Transition(
            "take_back",
            ("accepted", "scheduled"),
            "taken_back",
            allow=STAFF,
            title=_("承認を取り消す"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.release_wish, close_request),
            effects=(Mail("contract_change_taken_back", to="contractor", cc="acting"), _RESTACK),
        ),
        *(
            Transition(
                "redate",
                (state,),
                state,
                allow=SYSTEM,
                title=_MOVED,
                guards=(redating_rules.date_holds,),
                writes=(redating_rules.keep_redating,),
                effects=(_REDATED, _RESTACK),
                keep=("effective_on",),
                restarts=("apply",) if state == "scheduled" else (),
            )
            for state in ("requested", "in_review", "accepted", "scheduled")
        ),
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
            effects=(_FAILED, _FAILED_STAFF, _RESTACK),
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
            effects=(_FAILED, _FAILED_STAFF, _RESTACK),
        ),
        # Back to `scheduled`, whose time has come: the effect that was refused ends there, and a new one is made.
        Transition(
            "accept_price",
            ("applying",),
            "scheduled",
            allow=STAFF,
            title=_("新しい料金で適用する"),
            guards=(
                rules.reason_is_given,
                rules.new_price_is_known,
                redating_rules.date_holds,
                rules.nothing_is_being_booked,
            ),
            writes=(redating_rules.keep_redating,),
            effects=(Mail("contract_change_new_price", to="contractor", cc="acting", figures=mails.moved), _RESTACK),
            keep=("effective_on",),
        ),
        Transition(
            "redate",
            ("applying",),
            "scheduled",
            allow=SYSTEM,
            title=_MOVED,
            guards=(redating_rules.date_holds, rules.nothing_is_being_booked),
            writes=(redating_rules.keep_redating,),
            effects=(_REDATED, _RESTACK),
            keep=("effective_on",),
        ),
        Transition(
            "give_up",
            ("applying",),
            "failed",
            allow=STAFF,
            title=_("適用を取りやめる"),
            guards=(rules.reason_is_given, rules.nothing_is_being_booked),
            writes=(rules.keep_reason, rules.release_wish, close_request),
            effects=(_FAILED, _FAILED_STAFF, _RESTACK),
        ),
        *(
            Transition(
                "withdraw",
                states,
                "withdrawn",
                allow=ACCOUNT_EDITOR,
                title=_("取り下げる"),
                guards=guards,
                writes=(*stops, rules.keep_withdrawer, rules.release_wish, close_request),
                effects=(
                    Mail("contract_change_withdrawn", to="contractor", cc="withdrawer", figures=mails.effective_date),
                    _RESTACK,
                ),
            )
            for states, guards, stops in (
                (("requested", "in_review", "accepted", "scheduled"), (), ()),
                # It may wait here for weeks, until requests before it are closed.
                (("applying",), (rules.booking_has_not_begun,), (rules.keep_from_booking,)),
            )
        ),
    ),
)
