"""Our units against other Wyoming servers: same model files, same client, one server at a time."""
