"""Schema migrations, applied by `polymeter db upgrade`."""
