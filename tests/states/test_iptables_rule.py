"""When two rules are one, and what iptables is never handed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_states import iptables_rule
from saltern_states.iptables_rule import canonical, check, target, tokens

SAME = [
    ("-s 10.0.0.1 -j ACCEPT", "-s 10.0.0.1/32 -j ACCEPT"),
    ("-s 10.0.0.7/24 -j ACCEPT", "-s 10.0.0.0/24 -j ACCEPT"),
    ("-s 10.0.0.0/255.0.0.0 -j ACCEPT", "-s 10.0.0.0/8 -j ACCEPT"),
    ("-j ACCEPT -d 10.0.0.1 -s 10.0.0.2", "-s 10.0.0.2/32 -d 10.0.0.1/32 -j ACCEPT"),
    ("-s 0.0.0.0/0 -p all -j ACCEPT", "-j ACCEPT"),
    ("--source 10.0.0.1 --jump ACCEPT", "-s 10.0.0.1/32 -j ACCEPT"),
    ("-p 6 --dport 22 -j ACCEPT", "-p tcp -m tcp --dport 22 -j ACCEPT"),
    ("-p tcp -m tcp --dport 1 --sport 2", "-p tcp --source-port 2 --destination-port 1"),
    ("-m comment --comment one -j DROP", '-m comment --comment "one" -j DROP'),
    ("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
    (
        "-p tcp -m comment --comment x -m tcp --dport 5",
        "-p tcp -m tcp --dport 5 -m comment --comment x",
    ),
    (
        "-m conntrack --ctstate ESTABLISHED,RELATED",
        "-m conntrack --ctstate RELATED,ESTABLISHED",
    ),
    ("-m addrtype ! --dst-type LOCAL", "-m  addrtype !  --dst-type\tLOCAL "),
]

DIFFERENT = [
    ("-s 10.0.0.1 -j ACCEPT", "-d 10.0.0.1 -j ACCEPT"),
    ("-s 10.0.0.1 -j ACCEPT", "! -s 10.0.0.1 -j ACCEPT"),
    ("! -s 0.0.0.0/0 -j ACCEPT", "-j ACCEPT"),
    ("-j SALTERN-A", "-g SALTERN-A"),
    ("-j ACCEPT", "-j accept"),
    ("-p tcp --dport 22", "-p udp --dport 22"),
    ("-p tcp --dport 22", "-p tcp ! --dport 22"),
    ('-m comment --comment "a  b"', '-m comment --comment "a b"'),
    ("-m comment --comment a", "-m comment --comment A"),
    ("-m limit --limit 5/min -m mark --mark 0x1", "-m mark --mark 0x1 -m limit --limit 5/min"),
    (
        "-m recent --set --name A -m recent --update --name B",
        "-m recent --set --name B -m recent --update --name A",
    ),
    ("-j MARK --set-mark 1 -m mark --mark 2", "-m mark --mark 1 -j MARK --set-mark 2"),
]

HOSTILE = [
    "--modprobe=/tmp/x -j ACCEPT",
    "-j ACCEPT --modprobe /tmp/x",
    "-j ACCEPT --modp /tmp/x",
    "-j ACCEPT --mo=/tmp/x",
    "-j ACCEPT -M /tmp/x",
    "-M/tmp/x",
    '-j ACCEPT "--modprobe=/tmp/x"',
    '-j ACCEPT "-M" /tmp/x',
    '-j ACCEPT --mod"probe=/tmp/x"',
    "-m ../../tmp/x",
    "-j ../../tmp/x",
    "--match ../../tmp/x",
    "--match=../../tmp/x",
    "--matc ../../tmp/x",
    "--jump=../../tmp/x",
    "--j ../../tmp/x",
    "--got ../../tmp/x",
    "--prot ../../tmp/x -j ACCEPT",
    "-s -j ACCEPT",
    "-j",
    '"!" -s 10.0.0.1 -j ACCEPT',
    '-m comment --comment x "!" -s 10.0.0.1',
    "-p ../../tmp/x -j ACCEPT",
    "-j ACCEPT -t filter",
    "-A INPUT -j ACCEPT",
    "-D INPUT 1",
    "-jACCEPT",
    "ACCEPT",
    "",
    '-m comment --comment "open',
    "--",
    "-j ACCEPT -- x",
    "! ACCEPT",
    "-j ACCEPT !",
    "-s one.example -j ACCEPT",
    "-s 10.0.0.1,10.0.0.2 -j ACCEPT",
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_rule(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_rules_stay_two(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("rule", [rule for pair in (*SAME, *DIFFERENT) for rule in pair])
def test_the_canonical_form_stands_and_is_allowed(rule: str) -> None:
    check(rule)
    check(canonical(rule))
    assert canonical(canonical(rule)) == canonical(rule)


@pytest.mark.parametrize("rule", HOSTILE)
def test_what_is_more_than_a_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"^cannot (take|read) the rule"):
        check(rule)


OF_THE_COMMAND = [
    *("--ipv6", "-6", "--ipv4", "-4", "-64", "--ipv"),
    *("--set-counters 1 2", "-c 1 2", "--set 1 2", "--set-c 1 2"),
    *("--verbose", "-v", "--verb", "--numeric", "-n", "--exact", "-x", "--line-numbers"),
    *("--wait", "-w", "--wait-interval 1", "--table raw", "-t raw", "--modprobe /bin/sh"),
    *("--append X", "--delete X", "--check X", "--insert X", "--replace X 1", "--policy X ACCEPT"),
    *("--list", "--list-rules", "--flush", "--zero", "--new-chain X", "--delete-chain X"),
    *("--rename-chain X Y", "--version", "-V", "--help", "-h", "--pol ipsec"),
]


@pytest.mark.parametrize("option", OF_THE_COMMAND)
def test_what_is_of_the_command_is_refused_wherever_it_stands(option: str) -> None:
    for rule in (f"{option} -j ACCEPT", f"-j ACCEPT {option}", f"-m tcp {option} -j ACCEPT"):
        with pytest.raises(ValueError, match=r"^cannot take the rule"):
            check(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "-m recent --set --name ssh --mask 255.255.255.255 --rsource -j ACCEPT",
        "-m policy --dir in --pol ipsec -j ACCEPT",
        '-m comment --comment "4 or 6" -j ACCEPT',
        "-j CT --zone 4 --helper ftp",
        "-m set --match-set a src --update-counters -j ACCEPT",
    ],
)
def test_what_only_looks_like_it_is_taken(rule: str) -> None:
    check(rule)


WORDS = [
    *("-s", "-d", "-p", "-m", "-j", "-g", "-f", "!", "tcp", "10.0.0.1", "0.0.0.0/0", "all"),
    *("--dport", "--source", "--ctstate", "b,a", "22", "-5", "REJECT", '""', '"a b"', '"!"'),
]


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
    | st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
)
def test_any_text_is_refused_or_has_one_form(rule: str) -> None:
    try:
        check(rule)
    except ValueError:
        return
    assert canonical(canonical(rule)) == canonical(rule)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1))
def test_a_quoted_word_is_read_back(word: str) -> None:
    assert [token.text for token in tokens(f"-m {iptables_rule.quote(word)} -j X")] == [
        "-m",
        word,
        "-j",
        "X",
    ]


def test_the_target_is_what_follows_the_jump() -> None:
    assert target("-s 10.0.0.1 -j ACCEPT") == "ACCEPT"
    assert target("--goto OTHER -m mark --mark 1") == "OTHER"
    assert target('-m comment --comment "-j ACCEPT"') == ""
    assert target('-m comment --comment "-j" -j DROP') == "DROP"
