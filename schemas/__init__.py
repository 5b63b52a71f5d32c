"""What the services say to each other: events, visits, leads, deals, credits, the topics and their codec.

Imports nothing of ours. `json/` holds the JSON Schema generated from these models, `examples/` real payloads that the
tests run through every service.
"""
