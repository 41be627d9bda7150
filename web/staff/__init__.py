"""The staff side of the site, `/staff/`: what waits for a decision, customers, incidents and workflows.

Views parse, call and show, as everywhere. Every act of a staff member is an event or an act of the engine in their
name, `staff:<id>`, so that history names them.
"""
