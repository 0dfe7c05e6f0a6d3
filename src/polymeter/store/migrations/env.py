"""Alembic's environment: the store hands over its own connection and transaction."""

from alembic import context

from polymeter.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
