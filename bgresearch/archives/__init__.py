"""The exchange's downloadable bulk history: file names, readers, checks and the import into the store."""
