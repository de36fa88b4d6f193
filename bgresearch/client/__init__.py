"""Every public verb and the raw namespace ``client.api``, one module per family."""
