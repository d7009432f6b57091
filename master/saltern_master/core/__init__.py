"""Core: the process that decides what nodes are told, and remembers what they said.

pure:
  turns.py         a turn: which nodes an apply waits for, and how each ended
  peer.py          a node that may speak, and what its connection has told
  conversation.py  what a node said -> what is stored, answered and told to people
  rollout.py       a compiled cluster, and what nodes have -> the documents that are new
  alarms.py        what core knows -> what an operator has to see to
  views.py         what core knows -> what people are shown
what is held:
  known.py         peers and turns: a view of the store, loaded at start
  kept_turns.py    turns in the store
  batch.py         writes that are committed as one
  follow.py        who follows turns and drift, each with a bounded queue
what is done:
  signer.py        documents and leases, with the state and lease keys
  prepare.py       compile, check against policy and library; in a thread, and remembered
  rolling.py       roll out a file, or what of it changed
  renewing.py      sign anew what grows old, or what a new root or policy changes
  members.py       tokens, who knocks, approval, revocation, certificates
  leaving.py       nodes that are removed
  patience.py      the clock of turns
  kube.py          Node objects; reach.py: the way to the API server
  vigilant.py      the store, watched: a disk that fails an fsync ends core
  front.py         the front as a child: started, supervised, spoken with
  heavy.py         heavy frames wait for light ones
  desk.py          frames from the front: decide, commit, answer
where it meets:
  office.py        the parts and what passes between them
  core.py          Core: implements api.service.Service
  settings.py, run.py    run_core(): all of it, until SIGTERM
"""
