"""Core: the process that decides what nodes are told, and remembers what they said.

turns.py         a turn: which nodes an apply waits for, and how each ended       pure
conversation.py  what a node said -> what is stored, answered and told to people  pure
rollout.py       a compiled cluster -> the documents that are new                 pure
views.py         what core knows -> what people are shown                         pure
signer.py        root, policy and state key: documents and leases                 reads HOME
known.py         what core holds in memory: a view of the store, loaded at start  reads the store
batch.py         writes that are gathered and committed as one                    writes the store
front.py         the front as a child: started, supervised, spoken with           a process
desk.py          frames from the front, a batch at a time                         effects
follow.py        who follows turns and drift, each with a bounded queue           memory
kube.py          what core asks of the Kubernetes API                             a seam
core.py          Core: implements api.service.Service                             effects
run.py           run_core(): all of it, until SIGTERM                             effects
"""
