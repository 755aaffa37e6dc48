"""Groups of controls that several tabs share; each binds its controls to fields of the request."""
