/* What the conformance kit asks of a worker: to play a host of another age, to open and close many times, to watch
 * what a plugin does on its threads. A host in service never asks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

struct rehearsal rehearsal;

int rehearse(const char *what) {
    if (strcmp(what, "later") == 0) {
        rehearsal.later = LATER_BYTES;
    } else if (strcmp(what, "bare") == 0) {
        rehearsal.bare = 1;
    } else if (strcmp(what, "watch") == 0) {
        rehearsal.watch = 1;
    } else if (strncmp(what, "cycles:", 7) == 0) {
        rehearsal.cycles = (uint32_t)strtoul(what + 7, NULL, 10);
    } else {
        return 0;
    }
    return 1;
}

const datong_host *offered_host(void) {
    static datong_host later;
    if (!rehearsal.later) return &host_table;
    later = host_table;
    later.size += LATER_BYTES;
    later.minor_max++;
    return &later;
}

/* ---- cycles ------------------------------------------------------------------------------------------ */

static long resident_kib(void) {
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static long descriptors(void) {
    long count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return 0;
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

static void tell(struct call *call, const char *name, long amount) {
    struct buffer body = {0};
    put_u32(&body, 0); /* no sequence: a note is not answered */
    put_u32(&body, DW_NOTE_METRIC);
    put_text(&body, name);
    put_u64(&body, (uint64_t)(int64_t)amount);
    send_frame(this_thread->worker, DW_NOTE, 0, call->id, &body, NULL);
    buffer_free(&body);
}

int32_t rehearse_cycles(struct call *call, const datong_call *handle, const datong_open_request *request) {
    const datong_plugin *plugin = this_thread->worker->plugin;
    long resident = 0, open_files = 0;
    for (uint32_t i = 0; i < rehearsal.cycles; i++) {
        if (i == rehearsal.cycles / 4) {
            resident = resident_kib();
            open_files = descriptors();
        }
        void *connection = NULL;
        int32_t result = plugin->open(handle, request, &connection);
        if (result != DATONG_OK) return result;
        plugin->close(connection);
    }
    tell(call, "resident_kib", resident_kib() - resident);
    tell(call, "descriptors", descriptors() - open_files);
    return DATONG_OK;
}

/* ---- watch ------------------------------------------------------------------------------------------- */

static void caught(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    char words[64];
    int size = snprintf(words, sizeof words, "watch: system call %d\n", info->si_syscall);
    if (write(2, words, (size_t)size) < 0) _exit(DW_WATCH_STATUS);
    _exit(DW_WATCH_STATUS);
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define TRAP BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* The accumulator holds the number of the call. */
#define REFUSE(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), TRAP

/* Sockets, threads, processes, sleep, signal handlers, working directory; files for writing. A file that is only read
 * passes: the system's own tables (zones, character sets) are files. */
int watch_this_thread(void) {
    static const struct sock_filter steps[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCHITECTURE, 1, 0),
        ALLOW,
        LOAD(nr),
        REFUSE(socket), REFUSE(socketpair), REFUSE(connect), REFUSE(bind), REFUSE(listen), REFUSE(accept4),
        REFUSE(clone), REFUSE(clone3), REFUSE(execve), REFUSE(execveat), REFUSE(nanosleep),
        REFUSE(clock_nanosleep), REFUSE(rt_sigaction), REFUSE(chdir), REFUSE(unlinkat), REFUSE(mkdirat),
        REFUSE(setitimer), REFUSE(timer_create),
#ifdef SYS_fork
        REFUSE(fork), REFUSE(vfork), REFUSE(creat), REFUSE(unlink), REFUSE(mkdir), REFUSE(alarm),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 0, 4),
        LOAD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT, 0, 1),
        TRAP,
        ALLOW,
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4),
        LOAD(args[2]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT, 0, 1),
        TRAP,
        ALLOW,
        ALLOW,
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, (struct sock_filter *)(uintptr_t)steps};
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSYS, &action, NULL) != 0) return errno;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 ? 0 : errno;
}
