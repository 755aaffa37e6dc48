"""Names around the API. The routes themselves are the studio's: /sdapi/v1."""
