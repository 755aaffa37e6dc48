"""Albums: the one way in which a picture is shown to anybody but whoever made it."""
