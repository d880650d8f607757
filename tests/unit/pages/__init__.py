"""Problems, hosts, sessions, headers, templates, assets."""
