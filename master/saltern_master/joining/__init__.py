"""Joining over ssh: machines become nodes by the operator's own ssh.

hosts      what a person wrote -> which machine shall be which node, or all that is wrong    pure
choosing   names of packages, what a machine is -> the package for it                        pure
packages   where packages come from: files that were named, or the library
scripts    what is run there: fixed texts, and nothing secret in them                        pure
looking    what a machine said -> what it is, and what stands against it                     pure
refusals   what ssh, apt and the agent said when it failed -> what to do                     pure
ssh        the port, and the real one: OpenSSH's client
adding     one machine, step by step; what is left of it where a step fails
crowd      many at once
"""
