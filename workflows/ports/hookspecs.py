"""What a plugin may add to the business: the hooks, their arguments and their promises.

Each registers by name, once at start, and hands over objects that do the work later; see `engine.hookspecs` for the
hooks of the engine and docs/plugins for plugin authors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.hookspecs import hookspec, takes
from workflows.ports.billing import BillingBackend, wrong_backend
from workflows.ports.collecting import wrong_collecting
from workflows.ports.commands import OWN_COMMANDS, group_of, wrong_command
from workflows.ports.demo import DemoContents, wrong_contents
from workflows.ports.disk_usage import DiskUsage
from workflows.ports.notice_channels import NoticeChannel, wrong_channel
from workflows.ports.pages import Pages, wrong_pages
from workflows.ports.payments import PaymentMethod, wrong_method
from workflows.ports.procedures import PluginProcedure, wrong_procedure
from workflows.ports.schedules import Schedule, wrong_schedule
from workflows.ports.webhooks import Webhook, plugin_itself, wrong_webhook

if TYPE_CHECKING:
    from click import Command


@hookspec
@takes("quote", "apply", "status", "history", "invoices", wrong=wrong_backend)
def register_billing_backends() -> Mapping[str, BillingBackend]:  # type: ignore[empty-body]
    """Billing backends by name. The site's setting `billing` says which of them quotes and applies.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; without a backend, changes show no price and wait as
    incidents when they are to be applied.
    Must never: open a connection; return a backend that cannot be called from several threads at once.
    """


@hookspec
@takes("usage")
def register_disk_usage() -> Mapping[str, DiskUsage]:  # type: ignore[empty-body]
    """Sources of disk usage by name. The site's setting `disk_usage` says which of them is asked.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; pages then say that no figure is available.
    Must never: open a connection; return a source that cannot be called from several threads at once.
    """


@hookspec
@takes("deliver", "preview", wrong=wrong_channel)
def register_notice_channels() -> Mapping[str, NoticeChannel]:  # type: ignore[empty-body]
    """Notice channels by name: how お知らせ reach people. All that are registered are used.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; notices go through the other channels, and what its
    channel had still to deliver is shown to staff as failed.
    Must never: open a connection; return a channel that cannot be called from several threads at once.
    """


@hookspec
@takes(wrong=wrong_pages, late=True)
def register_pages() -> Mapping[str, Pages]:  # type: ignore[empty-body]
    """Pages by name, under `/x/<name>/`: views for customers and staff, and the ways that lead to them.

    When: once in each process that serves, works or tells which plugins are well; what only pages need is imported
    here, and no other command loads it.
    May fail: yes. The exception becomes the plugin's failure; the site has none of its pages, and no way to them.
    Must never: open a connection; return views that cannot be called from several threads at once; leave a view
    without access, or change anything of other pages: such pages are left out, with the reason.
    """


@hookspec
@takes(
    *("is_available", "form", "validate", "begin", "handle_return"),
    *("verify_event", "handle_event", "query", "revoke"),
    wrong=lambda name, method: wrong_method(name, method) or wrong_collecting(method),
)
def register_payment_methods() -> Mapping[str, PaymentMethod]:  # type: ignore[empty-body]
    """Payment methods by name: the catalogue's three (bank_transfer, direct_debit, credit_card), or new ones, which
    customers can choose under the method's own title.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; customers then see that the method is not available.
    Must never: open a connection; return a method that cannot be called from several threads at once; keep or ask for
    a card number.
    """


@hookspec
@takes(reserved=OWN_COMMANDS, wrong=wrong_command, under=group_of)
def register_commands() -> Mapping[str, Command]:  # type: ignore[empty-body]
    """Commands by name: `tetsuzuki <plugin> <name>`, with hyphens for the underscores in the plugin's name.

    When: once in each process, at start, after every plugin was constructed; so what only a command needs is imported
    in the command.
    May fail: yes. The exception becomes the plugin's failure, and there are no commands of it. What a command raises
    ends the command with 1 and one line that names the plugin and the reason.
    Must never: do anything but make the commands; open a connection before a command runs. `tetsuzuki sms` belongs to
    the plugin sms: one whose name is a command of the site itself brings no commands, and two plugins whose names
    differ in hyphens and underscores alone are a `PluginError` that names both.
    """


@hookspec
@takes("run", wrong=wrong_schedule)
def register_schedules() -> Mapping[str, Schedule]:  # type: ignore[empty-body]
    """Schedules by name: recurrent work, which the site keeps as durable timers.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; what its schedules have to do waits until it is back.
    Must never: do the work, or begin a thread or a timer of its own; return a schedule that cannot be called from
    several threads and processes. Its name goes into the database, and stays there: never change it. A name that two
    plugins claim is a `PluginError` that names both.
    """


@hookspec
@takes(wrong=wrong_procedure)
def register_workflows() -> Mapping[str, PluginProcedure]:  # type: ignore[empty-body]
    """Procedures by the name of their workflow: checked, pinned, drawn and listed as those of the site.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure. A definition that `check` objects to, or that is not what
    was released under its version, is left out with the reason; instances that run on it wait until it is back.
    Must never: open a connection; take a name of the site's own procedures; change a definition that a site runs
    without giving it a new version. Its name goes into the database, and stays there: never change it. A name that two
    plugins claim is a `PluginError` that names both.
    """


@hookspec
@takes("verify", "handle", wrong=wrong_webhook, under=plugin_itself)
def register_webhooks() -> Mapping[str, Webhook]:  # type: ignore[empty-body]
    """Webhooks by name: addresses `/webhooks/<plugin>/<name>` to which machines outside send signed events.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; its addresses answer 404, and what it took before waits
    for a day, and is then kept for an operator.
    Must never: open a connection; return a webhook that cannot be called from several threads at once. The names are
    the plugin's own, and stand in the sender's settings and in the database: never change one.
    """


@hookspec
@takes(wrong=wrong_contents)
def register_demo_contents() -> Mapping[str, DemoContents]:  # type: ignore[empty-body]
    """Contents of the demo by name: functions that give the plugin's pages something to show in `tetsuzuki demo`.

    When: the hook once in each process, at start, after every plugin was constructed. What it returns is called where a
    demo starts, each time, once the demo's own contents are there; no other site calls it.
    May fail: yes. The exception becomes the plugin's failure. What contents raise is logged, and the demo starts
    without them.
    Must never: add anything while it registers, or twice where a demo starts again.
    """
