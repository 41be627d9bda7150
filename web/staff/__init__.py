"""The staff side of the site, `/staff/`: what waits for a decision, customers, incidents and workflows.

Views parse, call and show, as everywhere. Whatever a member of staff does is an event or an act of the engine in their
name, `staff:<id>`, so that history says who it was.
"""
