"""The sources of events: inotify and the mount table, netlink, systemd's signals."""
