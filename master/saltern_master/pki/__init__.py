"""The cluster's certificate authorities, what they sign, and the secrets that nodes are given."""
