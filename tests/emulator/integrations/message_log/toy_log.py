"""Records of a small log."""

HEADER = {"flasc_emu_message_log": 1, "run": "toy", "method": "FedAvg"}


def visit(number, client, **more):
    return {
        "kind": "visit", "round": number, "client": client, "bytes_down": 1000, "bytes_up": 500,
    } | more  # fmt: skip
