"""API keys: their permissions, setting one up, looking for leaked ones, the operating system's keyring."""
