"""The soak: half an hour of a cluster at work, in which nothing is drift but what was planted.

churn.py    pods that come and go, services that kube-proxy writes rules for, containers that
            docker restarts
soak.py     lets all that go on, plants damage, and keeps what the master was told
figures.py  what of that was planted, and what was false, for a reader
"""
