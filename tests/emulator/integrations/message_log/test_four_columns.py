"""The public CSV of four columns."""

import pytest

from emulator.common.errors import MessageLogError
from emulator.integrations.message_log import read

NAMES = "federated_round,sender,receiver,amount_of_bytes\n"


@pytest.fixture
def four(tmp_path):
    """Writes rows as a file of four columns; gives its path."""

    def written(*rows, names=NAMES):
        path = tmp_path / "traffic.csv"
        path.write_text(names + "".join(f"{row}\n" for row in rows))
        return path

    return written


def refusal(path):
    with pytest.raises(MessageLogError) as caught:
        read(path)
    return caught.value.message.replace(str(path), "LOG")


def test_visits_of_messages_to_and_from_the_server(four):
    log = read(four("0,-1,3,1000", "0,-1,5,1000", "0,5,-1,900", "0,3,-1,800", "1,-1,3,1000"))
    assert (log.header.run, log.header.method) == ("traffic", "traffic")
    found = [(v.round, v.client, v.bytes_down, v.bytes_up, v.failed) for v in log.visits]
    assert found == [
        (1, "3", 1000, 800, False),
        (1, "5", 1000, 900, False),
        (2, "3", 1000, 0, True),  # it did not answer
    ]
    assert log.ids == ("3", "5")
    assert not log.scores


def test_columns_in_another_order_and_rounds_from_1(four):
    names = "receiver,sender,amount_of_bytes,federated_round\n"
    log = read(four("a,server,10,1", "server,a,9,1", names=names))
    assert [(v.round, v.client, v.bytes_down, v.bytes_up) for v in log.visits] == [(1, "a", 10, 9)]


def test_the_server_may_be_the_one_that_every_message_has(four):
    log = read(four("1,hub,a,10", "1,a,hub,9", "1,hub,b,10", "1,b,hub,9"))
    assert log.ids == ("a", "b")


def test_messages_in_parts_are_added_and_told(four):
    path = four("1,-1,3,10", "1,-1,3,20", "1,3,-1,5")
    log = read(path)
    assert log.visits[0].bytes_down == 30
    assert log.remarks[0].startswith(f"{path}: 1 message to or from a client that had another one")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["1,a,b,10", "1,b,c,10", "1,c,a,10"], "LOG: found none that may be the server"),
        (["1,a,b,10"], "LOG: found 2 ('a', 'b') that may be the server"),
        (["1,server,-1,10"], "LOG: found 2 ('server', '-1') that may be the server"),
        (["1,-1,3,10", "1,4,5,10"], "LOG:3: found a message from '4' to '5'; allowed: from or to"),
        (["1,-1,-1,10"], "LOG:2: found a message from '-1' to '-1'"),
        (["x,-1,3,10"], "LOG:2: column 1, federated_round: found 'x'; allowed: a whole number"),
        (["1,-1,3,1.5"], "LOG:2: column 4, amount_of_bytes: found '1.5'; allowed: a whole number"),
        (["1,-1,3,-5"], "LOG:2: column 4, amount_of_bytes: found '-5'; allowed: a whole number"),
        (["1,,3,10"], "LOG:2: column 2, sender: missing"),
        (["1,-1,3"], "LOG:2: found 3 cells; allowed: 4"),
        (["1,-1,3,100000000000000"], "LOG:2: bytes_down: found 100000000000000; allowed: 1000000"),
        (["1,-1,3,10", "3,-1,3,10"], "LOG: found rounds up to 3 and no visit in round 2"),
        ([], "LOG: found no message; allowed: one or more"),
    ],
)
def test_files_that_are_wrong(four, rows, said):
    assert refusal(four(*rows)).startswith(said)
