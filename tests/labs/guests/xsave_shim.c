/*
 * Copyright (c) 2026 The freezer.backup authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * Loaded into linux.uml with LD_PRELOAD, for processors with AMX.
 *
 * User-Mode Linux of Debian 12 keeps 2696 bytes of a process's extended registers. ptrace wants exactly as many as the
 * processor has and fails with EFAULT otherwise ("ptrace set fp regs failed, errno = 14"). So the whole area is read from
 * the process, User-Mode Linux's part of it replaced, and written back. Where the sizes agree nothing is changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

/* Where the header of an XSAVE area says which components it holds, and the two of AMX (XTILECFG, XTILEDATA). */
enum { COMPONENTS_AT = 512 };
static const unsigned long long amx = 3ULL << 17;

/* Not on the stack: those of the guest's kernel have 16 KiB. */
static char whole[16384] __attribute__((aligned(64)));

static long set_registers(long pid, struct iovec *part)
{
    struct iovec all = {whole, sizeof whole};
    unsigned long long before, after;

    if (syscall(SYS_ptrace, (long)PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &all) < 0)
        return -1;
    if (part->iov_len >= all.iov_len)
        return syscall(SYS_ptrace, (long)PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, part);
    memcpy(&before, whole + COMPONENTS_AT, sizeof before);
    memcpy(whole, part->iov_base, part->iov_len);
    memcpy(&after, whole + COMPONENTS_AT, sizeof after);
    after = (after & ~amx) | (before & amx);
    memcpy(whole + COMPONENTS_AT, &after, sizeof after);
    return syscall(SYS_ptrace, (long)PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    long pid, word;
    void *address, *data;

    va_start(arguments, request);
    pid = va_arg(arguments, pid_t);
    address = va_arg(arguments, void *);
    data = va_arg(arguments, void *);
    va_end(arguments);
    if ((int)request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
        return set_registers(pid, data);
    if ((int)request >= PTRACE_PEEKTEXT && (int)request <= PTRACE_PEEKUSER) {
        /* The system call stores what the library function returns. */
        if (syscall(SYS_ptrace, (long)request, pid, address, &word) < 0)
            return -1;
        errno = 0;
        return word;
    }
    return syscall(SYS_ptrace, (long)request, pid, address, data);
}
