"""What launch.py does: look at the machine, set `.venv` up, start, check, test and report.

Standard library only, and nothing of the rest of webui: all of this runs before anything is
installed.
"""
