"""Who this process is: keys, tokens of Entra ID, and their renewal."""
