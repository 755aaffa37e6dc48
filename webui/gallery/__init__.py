"""Pictures on disk: names, safe saving, index, thumbnails, trash; and uploads."""
