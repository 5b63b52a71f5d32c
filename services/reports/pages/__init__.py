"""The dashboard's templates, style sheet and mark. Everything that a template is given is escaped as text."""
