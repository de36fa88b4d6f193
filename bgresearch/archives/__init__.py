"""The exchange's downloadable bulk history: names of files, reading and checking them, bringing them into the store."""
