"""The downloadable history of the embedded exchange: the same markets as REST, in files a day or a month."""
