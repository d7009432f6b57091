"""The only code that touches the node: files, netlink, iptables, systemd, dpkg, docker."""
