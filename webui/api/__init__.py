"""The HTTP API: thin routes over the studio, for the page's own client and for programs."""
