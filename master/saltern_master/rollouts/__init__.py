"""Rollouts: which node is brought to a revision when, and what makes it stop. Pure.

strategy.py    what a person chose: canary, waves, budget, soak
waves.py       candidates -> waves
model.py       a rollout, its nodes, and what can happen to it
machine.py     rollout + what happened + time -> rollout
wants.py       rollout -> what is to be done now, however often it is asked
telling.py     rollout -> what it waits for, in words
"""
