"""The sources of events: inotify and mounts, netlink, systemd's signals, docker's, and readings."""
