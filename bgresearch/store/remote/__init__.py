"""The store on object storage: publishing public data, and reading what was published."""
