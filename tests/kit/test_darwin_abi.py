"""Numbers, error names and structures of Darwin."""

from __future__ import annotations

import errno as host_errno

import pytest

from ymawky_kit.darwin import abi, errno, structs


def test_the_error_numbers_1_to_106_all_have_one_name() -> None:
    assert list(range(1, 107)) == sorted(errno.NAMES)
    assert 106 == len(set(errno.NAMES.values()))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("EPERM", 1), ("ENOENT", 2), ("EINTR", 4), ("EBADF", 9), ("EDEADLK", 11), ("EACCES", 13),
        ("EINVAL", 22), ("ERANGE", 34), ("EAGAIN", 35), ("EINPROGRESS", 36), ("ENOTSOCK", 38),
        ("ENOTSUP", 45), ("EADDRINUSE", 48), ("ECONNRESET", 54), ("ENOTCONN", 57),
        ("ETIMEDOUT", 60), ("ECONNREFUSED", 61), ("ELOOP", 62), ("ENAMETOOLONG", 63),
        ("ENOTEMPTY", 66), ("EPROCLIM", 67), ("EDQUOT", 69), ("EBADRPC", 72), ("ENOLCK", 77),
        ("ENOSYS", 78), ("EFTYPE", 79), ("EOVERFLOW", 84), ("EBADEXEC", 85), ("EBADMACHO", 88),
        ("EILSEQ", 92), ("ENOATTR", 93), ("EPROTO", 100), ("EOPNOTSUPP", 102), ("EQFULL", 106),
    ],
)
def test_an_error_has_darwins_number(name: str, number: int) -> None:
    assert number == getattr(errno, name)
    assert name == errno.name(number)


@pytest.mark.parametrize("name", ["EAGAIN", "ELOOP", "ENAMETOOLONG", "ENOTEMPTY", "ENOSYS"])
def test_a_host_error_is_translated_by_name(name: str) -> None:
    assert getattr(errno, name) == errno.from_host(getattr(host_errno, name))


def test_one_linux_number_is_two_errors_here() -> None:
    assert errno.ENOTSUP == errno.from_host(host_errno.ENOTSUP)
    assert errno.EOPNOTSUPP == errno.from_host(host_errno.EOPNOTSUPP, socket=True)


def test_a_host_error_that_darwin_lacks_is_eio() -> None:
    unknown = getattr(host_errno, "EBADE", 9999)
    assert errno.EIO == errno.from_host(unknown)
    assert errno.EIO == errno.from_host(None)


def test_an_errno_prints_as_its_name() -> None:
    assert "ENOENT" == str(errno.Errno(2))
    assert "200" == errno.name(200)


@pytest.mark.parametrize(
    ("vocabulary", "number", "text"),
    [
        ("open", 0, "O_RDONLY"),
        ("open", 0x601, "O_WRONLY|O_CREAT|O_TRUNC"),
        ("open", 0x2000_0000, "O_RDONLY|O_NOFOLLOW_ANY"),
        ("open", 0x4010_0000, "O_RDONLY|O_SEARCH"),
        ("open", 0x8000_0003, "0x80000003"),
        ("at", 0x80, "AT_REMOVEDIR"),
        ("at", 0, "0"),
        ("fcntl", 0, "F_DUPFD"),
        ("fcntl", 51, "F_FULLFSYNC"),
        ("fcntl", 1234, "1234"),
        ("whence", 3, "SEEK_HOLE"),
        ("protection", 3, "PROT_READ|PROT_WRITE"),
        ("protection", 0, "PROT_NONE"),
        ("map", 0x1002, "MAP_PRIVATE|MAP_ANON"),
        ("access", 0, "F_OK"),
        ("access", 6, "R_OK|W_OK"),
        ("signal", 20, "SIGCHLD"),
        ("so", 0x1022, "SO_NOSIGPIPE"),
        ("ev", 0x8021, "EV_ADD|EV_CLEAR|EV_EOF"),
        ("family", 30, "AF_INET6"),
    ],
)
def test_a_vocabulary_names_a_number(vocabulary: str, number: int, text: str) -> None:
    assert text == abi.VOCABULARIES[vocabulary](number)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("sockaddr_in", 16), ("sockaddr_in6", 28), ("sockaddr_un", 106), ("sockaddr_storage", 128),
        ("stat64", 144), ("timeval", 16), ("timespec", 16), ("itimerval", 32), ("iovec", 16),
        ("msghdr", 48), ("cmsghdr", 12), ("__sigaction", 24), ("sigaction", 16), ("stack_t", 24),
        ("siginfo", 104), ("ucontext64", 56), ("mcontext64", 816), ("kevent", 32),
        ("kevent64_s", 48), ("sf_hdtr", 32), ("rlimit", 16), ("statfs64", 2168), ("flock", 24),
        ("pollfd", 8), ("linger", 8), ("attrlist", 24), ("rusage", 144), ("winsize", 8),
    ],
)
def test_a_structure_has_the_size_the_headers_give(name: str, size: int) -> None:
    layout = structs.LAYOUTS[name]
    assert size == layout.size == layout.codec.size


@pytest.mark.parametrize(
    ("name", "field", "offset", "size"),
    [
        ("sockaddr_in", "sin_port", 2, 2), ("sockaddr_in", "sin_addr", 4, 4),
        ("sockaddr_in6", "sin6_scope_id", 24, 4), ("sockaddr_un", "sun_path", 2, 104),
        ("stat64", "st_mode", 4, 2), ("stat64", "st_nlink", 6, 2), ("stat64", "st_ino", 8, 8),
        ("stat64", "st_mtime", 48, 8), ("stat64", "st_birthtime", 80, 8),
        ("stat64", "st_size", 96, 8), ("stat64", "st_blocks", 104, 8),
        ("stat64", "st_blksize", 112, 4), ("dirent", "d_reclen", 16, 2),
        ("dirent", "d_namlen", 18, 2), ("dirent", "d_type", 20, 1), ("timeval", "tv_usec", 8, 4),
        ("itimerval", "it_value_sec", 16, 8), ("itimerval", "it_value_usec", 24, 4),
        ("msghdr", "msg_iov", 16, 8), ("msghdr", "msg_flags", 44, 4),
        ("__sigaction", "sa_tramp", 8, 8), ("__sigaction", "sa_flags", 20, 4),
        ("sigaction", "sa_mask", 8, 4), ("siginfo", "si_addr", 24, 8),
        ("siginfo", "si_pid", 12, 4), ("ucontext64", "uc_mcontext64", 48, 8),
        ("mcontext64", "x0", 16, 8), ("mcontext64", "pc", 272, 8), ("mcontext64", "cpsr", 280, 4),
        ("mcontext64", "q0", 288, 16), ("mcontext64", "fpcr", 804, 4), ("kevent", "filter", 8, 2),
        ("kevent", "data", 16, 8), ("kevent64_s", "ext1", 40, 8), ("sf_hdtr", "trailers", 16, 8),
        ("statfs64", "f_fstypename", 72, 16), ("statfs64", "f_mntonname", 88, 1024),
        ("statfs64", "f_flags_ext", 2136, 4), ("flock", "l_type", 20, 2),
        ("flock", "l_whence", 22, 2), ("pollfd", "revents", 6, 2), ("attrlist", "fileattr", 16, 4),
        ("rusage", "ru_maxrss", 32, 8), ("rusage", "ru_nivcsw", 136, 8),
    ],
)
def test_a_field_is_where_the_headers_put_it(
    name: str, field: str, offset: int, size: int
) -> None:
    found = structs.LAYOUTS[name][field]
    assert (offset, size) == (found.offset, found.size)


def test_a_layout_packs_what_it_unpacks() -> None:
    data = structs.FLOCK.pack(l_start=-5, l_type=3, l_pid=77)
    assert 24 == len(data)
    assert {"l_start": -5, "l_len": 0, "l_pid": 77, "l_type": 3, "l_whence": 0} == (
        structs.FLOCK.unpack(data)
    )


def test_a_layout_refuses_a_field_it_does_not_have() -> None:
    with pytest.raises(KeyError):
        structs.FLOCK.pack(l_color=1)
    with pytest.raises(KeyError):
        structs.FLOCK.offset("l_color")


@pytest.mark.parametrize(
    "fields",
    [((("a", 0, "I"), ("b", 2, "I"))), ((("a", 6, "I"),))],
    ids=["overlap", "too long"],
)
def test_a_layout_with_impossible_fields_is_refused(
    fields: tuple[tuple[str, int, str], ...],
) -> None:
    with pytest.raises(ValueError, match=r"overlaps|longer"):
        structs.Layout("bad", 8, tuple(structs.Field(*field) for field in fields))
