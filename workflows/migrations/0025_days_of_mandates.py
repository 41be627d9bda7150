"""The first day that a mandate is billed is written down as soon as it is known, and not only when the day has come."""


def up(migrator, db):
    known = "SELECT id FROM instance WHERE workflow = 'payment_method_change' AND state IN ('scheduled', 'applying')"
    db.execute_sql(
        "UPDATE mandate SET active_from = "
        "(SELECT effective_on FROM change_request WHERE change_request.instance = mandate.instance) "
        f"WHERE active_from IS NULL AND instance IN ({known})"
    )
