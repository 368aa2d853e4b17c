"""What can be proven about a policy: every request is one of finitely many cells, so nothing is guessed."""
