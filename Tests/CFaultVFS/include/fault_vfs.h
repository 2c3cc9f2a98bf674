/* A file system under SQLite that fails on purpose.
 *
 * It stands before the system's own and touches only files below folders it was told of; everything else passes
 * through. Per folder it counts operations, makes the n-th one fail, and knows what was synced, so that a power loss
 * can be played: what was not synced is gone, or some of its sectors are. It really writes and never really syncs.
 */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

/* Each is met, and counted, by the operations that it is different for. */
enum fault_kind {
    FAULT_NONE,   /* counts all */
    FAULT_IO,     /* any operation fails: EIO */
    FAULT_SHORT,  /* a write leaves its first half and fails */
    FAULT_FULL,   /* a write finds the disk full */
    FAULT_POWER,  /* the power goes: this write, truncation, sync or deletion, and every operation after it, fail */
};

/* Registers the file system as SQLite's default, once. Returns an SQLite result code. */
int fault_vfs_install(void);

/* Begins to watch the files below `folder`; what they hold now counts as synced. False: no room, or watched already. */
bool fault_vfs_watch(const char *folder);

/* Ends it. */
void fault_vfs_forget(const char *folder);

/* Counts from here: the operation number `at` (from 1) meets the fault, and with `for_ever` every later one too. */
void fault_vfs_plan(const char *folder, enum fault_kind kind, int64_t at, bool for_ever);

/* Operations counted since the last plan. */
int64_t fault_vfs_operations(const char *folder);

/* Whether the planned operation was reached. */
bool fault_vfs_was_hit(const char *folder);

/* After all connections are closed: makes every file what the disk would hold after a power loss. Each sector written
 * since its file's last sync is there or not, by `seed`; a file that was never synced may be gone, a deleted one back.
 * Seed 0 loses all that was not synced. Ends the plan. */
void fault_vfs_lose_power(const char *folder, uint64_t seed);

#endif
