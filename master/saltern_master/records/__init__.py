"""Typed records over the store: what each key holds, and pure functions that give writes.

    nodes/NAME                       nodes.Node
    keys/KEY                         nodes.Owner: whose CURVE key that is
    pending/NAME/KEY                 nodes.Pending: a machine that an operator has yet to approve
    tokens/SHA256                    tokens.Token
    documents/NAME                   documents.Issued: the newest document that was signed
    allocation                       compile.allocation.Allocation
    revisions/N, revision-files/N    revisions.Revision and the cluster file's bytes
    applied, pinned                  which of them is applied, and who keeps another one
    rollouts/N, rollout-nodes/N/NODE rollouts.Head and rollouts.KeptNode
    rollout-files/N                  the cluster file of a rollout that waits for another
    turns/N                          core's turns
    reported/NAME/INCARNATION        reports.Reported: up to which item a node's word is kept
    results/NAME                     reports.Result: how its last document went
    drift/NAME/TIME-NUMBER-INC       drift.Drift, and opendrift/NAME/RESOURCE the same while open
    health/NAME                      health.Health

* Values are JSON; fields that we do not know are passed over, so a newer master's record is read.
* Nothing here reads a clock or the store, but for the few functions that take a Store.
* N, TIME and NUMBER have 20 digits, so that the order of keys is theirs.
"""
