"""The life of an item: its states, what moves it, what can go wrong with it."""
