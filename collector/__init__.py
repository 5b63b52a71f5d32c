"""Takes events from browsers, servers and CRMs, decides what the request alone can tell, and makes them durable."""
