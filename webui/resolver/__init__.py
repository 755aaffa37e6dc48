"""From a request with blanks to a complete recipe: names become ids, words are filled in."""
