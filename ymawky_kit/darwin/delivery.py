"""Signals of one guest process: what is set, what waits, and how a handler is entered.

A signal comes from outside (the native host handler marks its number), from the
guest itself (`post`) or from the processor (`force`).  The guest's mask is the host's
mask too, so the host's kernel keeps blocked signals pending, hands the mask to forked
children and through exec.

Source: XNU bsd/kern/kern_sig.c (issignal, postsig, psignal), bsd/dev/arm/unix_signal.c
(sendsig, sigreturn).
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from ymawky_kit.darwin import abi, frame, host_signal
from ymawky_kit.darwin.errno import EFAULT, EINVAL, Errno
from ymawky_kit.darwin.frame import Info
from ymawky_kit.darwin.task import Interrupted, ProcessEnd
from ymawky_kit.emu import cpu as processor
from ymawky_kit.emu.memory import BadAddress, Memory
from ymawky_kit.emu.native import ATTENTION, SEEN

if TYPE_CHECKING:
    from ymawky_kit.emu.cpu import Cpu

# Seconds between two looks, where nothing wakes the sleeper.
_LOOK_FOR_CHILDREN: Final = 0.02
_LOOK_FOR_SIGNALS: Final = 0.05

_KEPT_FLAGS: Final = 0x7F   # SA_ONSTACK to SA_SIGINFO; the kernel forgets the rest
_UNBLOCKABLE: Final = 1 << (abi.SIGKILL - 1) | 1 << (abi.SIGSTOP - 1)


@dataclass(frozen=True, slots=True)
class Action:
    """struct __sigaction as the kernel keeps it."""

    handler: int = 0
    trampoline: int = 0
    mask: int = 0
    flags: int = 0

    @property
    def caught(self) -> bool:
        return self.handler > 1


_NOTHING: Final = Action()
_NO_INFO: Final = Info()


class Signals:
    """The signal state of a process, and the frames its handlers run on."""

    def __init__(self, memory: Memory, cpu: Cpu) -> None:
        self._memory = memory
        self._cpu = cpu
        self._words = cpu.words
        self._seen = memoryview(cpu.counter.words).cast("B")[8 * SEEN:8 * SEEN + 72]
        self.actions: list[Action] = [_NOTHING] * abi.NSIG
        self.mask = 0
        self._pending = 0
        self._info: dict[int, Info] = {}
        #: sigsuspend's: the mask to come back to once a handler has been entered.
        self.restore: int | None = None
        self.stack = (0, 0)             # sigaltstack: base, size
        self.on_stack = False
        self.stack_enabled = False
        #: Children leave nothing to wait for (SIG_IGN or SA_NOCLDWAIT on SIGCHLD).
        self.auto_reap = False
        self.no_child_stop = False
        #: sigreturn checks its token; settled by the first sigaction.
        self.validate: bool | None = None
        self._token = int.from_bytes(os.urandom(8), "little")
        #: This host process has no thread but ours, so every signal interrupts us.
        self.alone = False
        #: Some signal has a handler, so sleeping calls can be interrupted.
        self.armed = False
        #: EVFILT_SIGNAL notes by signal number: (owner, what to call on every posting).
        self._watchers: dict[int, list[tuple[object, Callable[[], None]]]] = {}
        self._saved = host_signal.SignalSet()
        self._sleep_mask = host_signal.SignalSet()
        #: What gives the host back its actions, and its mask, as they were before the guest.
        self._before: dict[int, Callable[[], object]] = {}
        self._mask_before: host_signal.SignalSet | None = None
        #: What gives the host back each interval timer that the guest has set, by its signal.
        self._timers: dict[int, Callable[[], object]] = {}

    # --- dispositions -----------------------------------------------------------------------

    def set_action(self, number: int, action: Action) -> None:
        """sigaction(2), arguments already checked."""
        if self.validate is None:
            self.validate = bool(action.flags & abi.SA_VALIDATE_SIGRETURN_FROM_SIGTRAMP)
        flags = action.flags & _KEPT_FLAGS
        action = Action(action.handler, action.trampoline, action.mask & ~_UNBLOCKABLE, flags)
        self.actions[number] = action
        if number == abi.SIGCHLD:
            self.auto_reap = action.handler == abi.SIG_IGN or bool(flags & abi.SA_NOCLDWAIT)
            self.no_child_stop = bool(flags & abi.SA_NOCLDSTOP)
        if action.handler == abi.SIG_IGN or (
            action.handler == abi.SIG_DFL and number in abi.SIGNALS_IGNORED
        ):
            self._pending &= ~(1 << (number - 1))
        self._arm()
        self._apply(number)

    def _arm(self) -> None:
        self.armed = bool(self._watchers or self._timers) \
            or any(entry.caught for entry in self.actions)

    def watch(self, number: int, owner: object, action: Callable[[], None]) -> None:
        """Call `action` whenever a signal is posted, also one that is ignored or blocked.

        Postings between two looks at the host's count once.  Source: psignal_internal
        posts NOTE_SIGNAL before it looks at the disposition.
        """
        self._watchers.setdefault(number, []).append((owner, action))
        self._watched(number)

    def unwatch(self, number: int, owner: object) -> None:
        """Forget the owner's action for a signal."""
        left = [entry for entry in self._watchers.get(number, ()) if entry[0] is not owner]
        if left:
            self._watchers[number] = left
        else:
            self._watchers.pop(number, None)
        self._watched(number)

    def _watched(self, number: int) -> None:
        self._arm()
        if 0 < number < abi.NSIG:
            self._apply(number)
            self._pass_on_mask()

    def _pass_on_mask(self) -> None:
        """Make the guest's mask the host's."""
        if self._mask_before is None:
            self._mask_before = host_signal.current_set()
        self._saved.bits = self._host_mask()
        host_signal.set_mask(self._saved)

    def _host_mask(self) -> int:
        """The guest's mask for the host, which must still see signals that are watched."""
        mask = self.mask
        for number in self._watchers:
            if 0 < number < abi.NSIG:
                mask &= ~(1 << (number - 1))
        return host_signal.mask_to_host(mask)

    def _apply(self, number: int) -> None:
        """Give the host the disposition that makes it act like Darwin."""
        host = host_signal.TO_HOST.get(number)
        if host is None or number in (abi.SIGKILL, abi.SIGSTOP, abi.SIGPIPE):
            return      # SIGPIPE is always ours to make: the host's stays ignored
        action = self.actions[number]
        handler = host_signal.DEFAULT
        ignored = action.handler == abi.SIG_IGN and number not in self._watchers
        if ignored or (number == abi.SIGCHLD and self.auto_reap):
            handler = host_signal.IGNORE
        elif action.caught or number in self._watchers or number in self._timers:
            self._catch(host)
            return
        self._set_host_action(host, handler)

    def _catch(self, host: int) -> None:
        """Have a host signal marked for the guest."""
        native = self._cpu.counter.signal_handler
        if native is not None:
            self._set_host_action(host, native)
            return
        before = host_signal.set_python_action(host, self._mark)
        self._before.setdefault(host, before)

    def _set_host_action(self, host: int, handler: int) -> None:
        before = host_signal.set_action(host, handler)
        if before is not None:
            self._before.setdefault(host, partial(host_signal.set_action, host, before))

    def _mark(self, host: int, _frame: object) -> None:
        """What the native handler does, for hosts without it."""
        self._seen[host] = 1
        self._words[ATTENTION] = 1

    def timer_set(self, number: int, give_back: Callable[[], object]) -> None:
        """The guest has set the host's timer that sends `number`.

        Inside another program (a notebook) its default would end that: so it is caught
        whatever the guest says, and ends the guest.
        """
        if not self.alone and number not in self._timers:
            self._timers[number] = give_back
            self._arm()
            self._apply(number)

    def inherit_ignored(self, number: int) -> None:
        """A signal that was ignored when the process began."""
        self.actions[number] = Action(abi.SIG_IGN)

    def release(self) -> None:
        """Give the host back its timers, dispositions and mask (a machine in another program ends).

        The mask goes to every process started later, so one left behind would make
        them deaf to signals; a timer left behind would kill the program around us.
        """
        for number, give_back in self._timers.items():
            give_back()
            # One that has run out meanwhile, while its signal was blocked, is forgotten.
            host_signal.set_action(host_signal.TO_HOST[number], host_signal.IGNORE)
        self._timers.clear()
        for give_back in self._before.values():
            give_back()
        self._before.clear()
        if self._mask_before is not None:
            host_signal.set_mask(self._mask_before)
            self._mask_before = None

    def set_mask(self, mask: int) -> None:
        """Change the mask; signals that it frees are delivered at the next chance."""
        mask &= 0xFFFFFFFF & ~_UNBLOCKABLE
        if mask != self.mask:
            self.mask = mask
            self._pass_on_mask()
        if self._pending & ~mask:
            self._words[ATTENTION] = 1

    # --- what waits -------------------------------------------------------------------------

    def post(self, number: int, info: Info = _NO_INFO) -> None:
        """Send a signal to this process from inside."""
        for _, tell in self._watchers.get(number, ()):
            tell()
        action = self.actions[number]
        if action.handler == abi.SIG_IGN and number not in (abi.SIGKILL, abi.SIGSTOP):
            return
        if action.handler == abi.SIG_DFL and number in abi.SIGNALS_IGNORED:
            return
        self._pending |= 1 << (number - 1)
        self._info[number] = info
        self._words[ATTENTION] = 1

    def collect(self) -> None:
        """Take over what the native handler has marked."""
        # First the word, then the bytes: a signal in between sets the word again.
        self._words[ATTENTION] = 0
        seen = self._seen
        for ours, host in host_signal.TO_HOST.items():
            if seen[host]:
                seen[host] = 0
                self._pending |= 1 << (ours - 1)
                for _, tell in self._watchers.get(ours, ()):
                    tell()

    def waiting(self) -> int:
        """All pending signals as a mask, the host's included (sigpending)."""
        self.collect()
        found = self._pending | host_signal.pending()
        if self._pending & ~self.mask:
            self._words[ATTENTION] = 1
        return found

    def deliverable(self) -> int:
        """The signal that would be delivered now, lowest number first; 0 for none.

        Signals whose action is to be ignored are dropped on the way.
        """
        if self._words[ATTENTION]:
            self.collect()
        ready = self._pending & ~self.mask
        while ready:
            number = (ready & -ready).bit_length()
            action = self.actions[number]
            if action.caught:
                if number != abi.SIGCHLD or not self.no_child_stop or self._child_ended():
                    return number
            elif action.handler == abi.SIG_DFL and number not in abi.SIGNALS_IGNORED:
                return number
            ready &= ~(1 << (number - 1))
            self._pending &= ~(1 << (number - 1))
        return 0

    def _child_ended(self) -> bool:
        """With SA_NOCLDSTOP, a stopped child is no reason for SIGCHLD."""
        options = os.WSTOPPED | os.WCONTINUED | os.WNOHANG | os.WNOWAIT
        try:
            stopped = os.waitid(os.P_ALL, 0, options)
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except OSError:
            return True
        return ended is not None or stopped is None

    def restarts(self) -> bool:
        """Would the signal that waits let a restartable call run again?"""
        number = self.deliverable()
        return number == 0 or bool(self.actions[number].flags & abi.SA_RESTART)

    # --- sleeping ---------------------------------------------------------------------------

    def poll(
        self, wanted: Sequence[tuple[int, int]], timeout: float | None
    ) -> list[tuple[int, int]]:
        """The host's poll; raises Interrupted for a signal before or during it."""
        if not self.armed and not self._words[ATTENTION]:
            # Nothing is caught: a host signal kills, stops or does nothing by itself.
            poller = select.poll()
            for fd, events in wanted:
                poller.register(fd, events)
            return poller.poll(None if timeout is None else min(timeout * 1000, abi.INT_MAX))
        self._sleep_mask.bits = self._host_mask()
        deadline = None if timeout is None else monotonic() + timeout
        host_signal.block_all(self._saved)
        try:
            if self.deliverable():
                raise Interrupted
            while True:
                nap = timeout
                if not self.alone and (nap is None or nap > _LOOK_FOR_SIGNALS):
                    nap = _LOOK_FOR_SIGNALS     # another thread may take the signal
                found = host_signal.sleep_until(wanted, nap, self._sleep_mask)
                if found:
                    return found
                if self.deliverable():
                    raise Interrupted
                # A signal that does nothing, or a nap: sleep on until the time is over.
                if deadline is not None:
                    timeout = deadline - monotonic()
                    if timeout <= 0:
                        return []
        finally:
            host_signal.set_mask(self._saved)

    def sleep_for_child(self) -> None:
        """Sleep until some signal comes, SIGCHLD even if the guest does not catch it.

        The caller has looked for a finished child between `hold` and this call, so
        none is missed.  Raises Interrupted when a caught signal waits.
        """
        if self.deliverable():
            raise Interrupted
        bits = self._host_mask()
        self._sleep_mask.bits = bits & ~(1 << (host_signal.TO_HOST[abi.SIGCHLD] - 1))
        # Children that leave no zombie post no SIGCHLD: look for them now and then.
        timeout = _LOOK_FOR_CHILDREN if self.auto_reap or not self.alone else None
        host_signal.sleep_until((), timeout, self._sleep_mask)
        if self.deliverable():
            raise Interrupted

    def hold(self) -> None:
        """Hold every host signal back until `let_go`."""
        host_signal.block_all(self._saved)

    def let_go(self) -> None:
        self._saved.bits = self._host_mask()
        host_signal.set_mask(self._saved)

    def watch_children(self) -> None:
        """Make SIGCHLD end sleeps although the guest leaves it alone."""
        if not self.actions[abi.SIGCHLD].caught and not self.auto_reap:
            self._catch(host_signal.TO_HOST[abi.SIGCHLD])

    def unwatch_children(self) -> None:
        self._apply(abi.SIGCHLD)

    # --- entering and leaving handlers ------------------------------------------------------

    def deliver(self) -> None:
        """Act on every signal that can be delivered; the processor stands still.

        Raises ProcessEnd when one kills the process.
        """
        while True:
            number = self.deliverable()
            if not number:
                break
            self._pending &= ~(1 << (number - 1))
            self._act(number, self._info.pop(number, _NO_INFO))
        if self.restore is not None:
            self.set_mask(self.restore)
            self.restore = None

    def force(self, number: int, info: Info) -> None:
        """A fault of the processor: blocked or ignored, it kills (XNU threadsignal)."""
        action = self.actions[number]
        if not action.caught or self.mask >> (number - 1) & 1:
            raise ProcessEnd(signal=number)
        self._act(number, info)

    def _act(self, number: int, info: Info) -> None:
        action = self.actions[number]
        if action.caught:
            if number == abi.SIGCHLD and not info.pid:
                info = _child_info()
            self._enter(number, action, info)
        elif number in abi.SIGNALS_STOP:
            os.kill(os.getpid(), host_signal.TO_HOST[abi.SIGSTOP])
        else:
            raise ProcessEnd(signal=number)

    def _enter(self, number: int, action: Action, info: Info) -> None:
        """Build the frame and send the processor to sa_tramp (sendsig)."""
        cpu = self._cpu
        general = cpu.load()
        top = general[processor.SP]
        was_on_stack = self.on_stack
        if action.flags & abi.SA_ONSTACK and self.stack_enabled and not self.on_stack:
            top = self.stack[0] + self.stack[1]
            self.on_stack = True
        place = frame.place_below(top)
        returning = self.mask if self.restore is None else self.restore
        base, size = self.stack
        saved = frame.Context(
            on_stack=was_on_stack, mask=returning, general=tuple(general),
            vectors=bytes(cpu.vectors().cast("B")), status=cpu.get_status(),
        )
        stack_flags = 0 if self.stack_enabled else abi.SS_DISABLE
        try:
            self._memory.write(
                place.frame, frame.pack(place, number, info, saved, (base, size, stack_flags))
            )
        except BadAddress:
            # No stack to run the handler on: XNU resets SIGILL and sends it.
            raise ProcessEnd(signal=abi.SIGILL) from None

        self.restore = None
        block = action.mask
        if not action.flags & abi.SA_NODEFER:
            block |= 1 << (number - 1)
        if action.flags & abi.SA_RESETHAND and number not in (abi.SIGILL, abi.SIGTRAP):
            self.set_action(number, _NOTHING)
        self.set_mask(returning | block)

        general[0] = action.handler
        general[1] = abi.UC_FLAVOR if action.flags & abi.SA_SIGINFO else abi.UC_TRAD
        general[2] = number
        general[3] = place.frame
        general[4] = place.context
        general[5] = place.context ^ self._token
        general[18] = 0
        general[processor.SP] = place.frame
        general[processor.PC] = action.trampoline
        general[processor.NZCV] = 0
        cpu.store()

    def sigreturn(self, context: int, token: int) -> None:
        """sigreturn(2): load the processor from the frame; raises Errno(EINVAL, EFAULT)."""
        try:
            saved = frame.unpack(self._memory, context)
        except BadAddress:
            raise Errno(EFAULT) from None
        if saved is None or (self.validate and token != context ^ self._token):
            raise Errno(EINVAL)
        self.on_stack = saved.on_stack
        cpu = self._cpu
        cpu.vectors().cast("B")[:] = saved.vectors
        cpu.store_vectors()
        cpu.set_status(*saved.status)
        general = cpu.general
        for index, value in enumerate(saved.general):
            general[index] = value
        general[18] = 0
        cpu.store()
        self.set_mask(saved.mask)

    # --- a new process, a new program -------------------------------------------------------

    def forked(self) -> None:
        """In the child, with host signals held: nothing pending, process flags gone."""
        self.alone = True
        self._pending = 0
        self._info.clear()
        self._words[ATTENTION] = 0
        self._seen[:] = bytes(len(self._seen))
        timers = list(self._timers)
        self._timers.clear()            # a child inherits none
        for number in timers:
            self._apply(number)
        self._arm()
        self.stop_reaping()
        self.no_child_stop = False

    def stop_reaping(self) -> None:
        """fork and exec make a new process record: children leave zombies again (forkproc).

        SIGCHLD is reported as ignored all the same if it was, while the host must not
        ignore it: there that means reaping.
        """
        if not self.auto_reap:
            return
        self.auto_reap = False
        self._apply(abi.SIGCHLD)
        if self.actions[abi.SIGCHLD].handler == abi.SIG_IGN:
            host_signal.set_action(host_signal.TO_HOST[abi.SIGCHLD], host_signal.DEFAULT)

    def executed(self) -> None:
        """exec: caught signals back to default, ignored ones stay; flags and altstack gone."""
        self.stop_reaping()
        self.no_child_stop = False
        for number in range(1, abi.NSIG):
            action = self.actions[number]
            if action.caught:
                self.actions[number] = _NOTHING
                self._apply(number)
            elif action.handler == abi.SIG_IGN:
                self.actions[number] = Action(abi.SIG_IGN)
        self._arm()
        self.validate = None
        self.stack = (0, 0)
        self.on_stack = self.stack_enabled = False


def _child_info() -> Info:
    """Who SIGCHLD is about, as far as a child still waits to be collected."""
    try:
        found = os.waitid(
            os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOHANG | os.WNOWAIT
        )
    except OSError:
        return _NO_INFO
    if found is None:
        return _NO_INFO
    status = found.si_status
    if found.si_code != os.CLD_EXITED:
        status = host_signal.FROM_HOST.get(status, status)
    return Info(found.si_code, found.si_pid, found.si_uid, status)
