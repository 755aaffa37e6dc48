"""What lies in models/: found by scanning, recognised by header, hashed in the background."""
