"""What people write today, each a script of its own that runs with a Python that has its packages.

`python SCRIPT PLAN INDEX`: process INDEX of those that share the work of a plan (`bench/admission/plan.py`). It says
`ready`, waits for a line on stdin, and works until it is done or ended. All of them sleep on the plan's scaled clock.
"""
