"""What is public: the modules that authors of procedures and plugins import, and in them every name without a leading
underscore. Everything else may change with any release.

The reference is built from them, and the bundled plugins and the examples import nothing else of the product: what they
need, a stranger's plugin may have.
"""

PUBLIC = (
    "engine",
    # The words of a definition
    "engine.definition",
    "engine.attempt",
    "engine.waits",
    "engine.migration",
    "engine.text",
    "engine.business_time",
    "engine.recurrence",
    "engine.rules",
    # Running it
    "engine.runtime.engine",
    "engine.outcomes",
    "engine.errors",
    "engine.store.base",
    "engine.store.opening",
    "engine.store.prepared",
    "engine.store.schema",
    "engine.authoring.check",
    "engine.operations.pauses",
    "engine.operations.incidents",
    "engine.operations.bulk_acts",
    # Plugins of the engine
    "engine.hookspecs",
    "engine.delivery",
    "engine.extension",
    "engine.health",
    "engine.mime",
    "engine.mail_address",
    "engine.plugins",
    "engine.configuration",
    "engine.configuration.kinds",
    "engine.templates",
    "engine.canonical",
    "engine.testing",
    # Plugins of the business
    "workflows.business.folding",
    "workflows.business.parties",
    "workflows.business.typed",
    "workflows.business.prose",
    "workflows.business.renewals",
    "workflows.business.request_number",
    "workflows.collecting",
    "workflows.typesetting.manuscript",
    "workflows.ports.hookspecs",
    "workflows.ports.host",
    "workflows.ports.payments",
    "workflows.ports.collecting",
    "workflows.ports.billing",
    "workflows.ports.quotes",
    "workflows.ports.disk_usage",
    "workflows.ports.notice_channels",
    "workflows.ports.schedules",
    "workflows.ports.procedures",
    "workflows.ports.pages",
    "workflows.ports.commands",
    "workflows.ports.webhooks",
    "workflows.ports.returned_mails",
    "workflows.ports.testing",
    "web.testing",
)
