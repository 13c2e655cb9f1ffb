"""Files that `equipoise new` copies: real modules, so that the linter, the type checker and the tests read them, too."""
