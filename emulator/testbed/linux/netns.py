"""Anonymous network namespaces of Linux, for threads of this process.

See namespaces(7), setns(2), unshare(2), user_namespaces(7), ip(8), tc(8), tun
(Documentation/networking of the kernel). Functions raise `RefusedError` if the machine refuses.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SEARCHED = os.pathsep.join([os.defpath, "/usr/sbin", "/sbin", "/usr/local/sbin"])


class RefusedError(Exception):
    """This machine lacks a permission, a tool or a kernel feature, which the message names."""


def become_root() -> None:
    """Enters a user namespace if this process may not create network namespaces otherwise.

    Call it before any thread starts. Raises RefusedError.
    """
    with contextlib.suppress(OSError):
        return _call("unshare", CLONE_NEWNET)
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        raise RefusedError(
            f"no root, and no user namespaces without it ({error.strerror})"
        ) from error


def new() -> int:
    """Moves this thread into a new network namespace; returns a descriptor that keeps it alive."""
    try:
        _call("unshare", CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(f"no network namespaces ({error.strerror}): is this root?") from error


def enter(namespace: int) -> None:
    """Moves this thread into `namespace`; existing sockets stay in theirs."""
    _call("setns", namespace, CLONE_NEWNET)


@contextlib.contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Context in which this thread is in `namespace`."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace)
        yield
    finally:
        enter(before)
        os.close(before)


def _call(name: str, *arguments: int) -> None:
    """Calls a function of libc. Raises OSError."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def tun(name: str) -> int:
    """Opens a TUN device in this thread's namespace; each read or write is one IP packet."""
    try:
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError as error:
        raise RefusedError(f"no TUN devices ({error.strerror})") from error
    return device


def run(tool: str, *lines: str) -> None:
    """Runs `lines` as one batch of `ip` or `tc`, in this thread's namespace."""
    found = shutil.which(tool, path=os.pathsep.join([os.environ.get("PATH", ""), _SEARCHED]))
    if found is None:
        raise RefusedError(f"no {tool} (the package iproute2)")
    done = subprocess.run(
        [found, "-batch", "-"], input="\n".join(lines), text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise RefusedError(f"{tool} refused: {done.stderr.strip().splitlines()[0]}")


def sysctl(name: str, value: str) -> None:
    """Sets net.NAME (with slashes) in this thread's namespace."""
    try:
        Path(f"/proc/sys/net/{name}").write_text(value)
    except OSError as error:
        raise RefusedError(f"net/{name} cannot be set ({error.strerror})") from error
