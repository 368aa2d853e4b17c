"""Money that was spent, and money that is held for calls under way."""
