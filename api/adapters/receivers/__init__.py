"""The ways to receivers of notifications: webhooks over HTTP, e-mail over SMTP."""
