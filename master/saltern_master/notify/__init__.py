"""Notifications: what is told to people who are not looking, by webhook and e-mail.

model.py      what can be wrong, what is told of it, and what is remembered. Values
troubles.py   what core knows -> what is wrong now. Pure
machine.py    memory, what is wrong, now -> memory, notices. Pure: when a thing is told
outbox.py     notices, tries, now -> what is to be sent next. Pure: to whom, and again
settings.py   HOME/notify.yaml, all faults at once, and the files of secrets
words.py      a notice as JSON with its signature, and as the text of an e-mail
webhook.py    POST by httpx
mail.py       smtplib, STARTTLS
sending.py    threads of its own: no receiver holds core up, or another receiver
"""
