"""What the api reads from the broker: the topic of alerts, and how far the workers are."""
