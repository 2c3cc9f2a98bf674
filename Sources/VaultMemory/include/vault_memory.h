/*
 * Memory for secrets: pages that are locked into RAM, kept out of core dumps and of forked children, and
 * fenced by inaccessible pages on both sides. The bytes end exactly at the upper fence, so the first byte
 * read or written past the end stops the process instead of leaking.
 */
#ifndef DATONG_VAULT_MEMORY_H
#define DATONG_VAULT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* `size` zeroed bytes (at least 1), or NULL when the system gives no memory. `locked` becomes 0 when the
 * pages could not be locked (RLIMIT_MEMLOCK): usable, but they may reach the swap area. Any thread. */
void *datong_vault_memory_allocate(size_t size, int *locked);

/* Wipe and give back what allocate returned; `size` and `locked` as they were then. Any thread. */
void datong_vault_memory_release(void *bytes, size_t size, int locked);

/* Overwrite with zeros in a way the compiler keeps. */
void datong_vault_memory_wipe(void *bytes, size_t size);

/* 1 when equal. The time depends on `size` only. */
int datong_vault_memory_equal(const void *left, const void *right, size_t size);

/* Regions in use now that the system refused to lock. `datong status` warns when this is not 0. */
uint64_t datong_vault_memory_unlocked_regions(void);

/* No core dumps and no ptrace or /proc/PID/mem from other processes of the same user. 0, or -1 with errno. */
int datong_vault_memory_harden_process(void);

/* 1 when the process is closed in that way. */
int datong_vault_memory_process_is_hardened(void);

#endif
