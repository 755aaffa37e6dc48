"""One file per tab, found by scanning: TAB says its id, title, order and how to build it."""
