"""The page of old scripts: their controls, tabs, settings, routes and JavaScript."""
