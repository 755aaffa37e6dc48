"""The application object: everything the page and the API may do, and the parts that do it."""
