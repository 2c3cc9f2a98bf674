#include "fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define FOLDERS 64

/* What the disk certainly holds of one file. */
struct disk_file {
    struct disk_file *next;
    char *path;
    bool is_there;
    uint8_t *bytes;
    int64_t size;
};

struct folder {
    char *path;
    struct disk_file *files;
    enum fault_kind kind;
    int64_t at;
    bool for_ever;
    int64_t count;
};

struct fault_file {
    sqlite3_file base;
    struct folder *folder;
    char *path;
    /* The real file follows in memory. */
};

static sqlite3_vfs *below;
static sqlite3_vfs above;
static struct folder folders[FOLDERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static sqlite3_file *real(sqlite3_file *file) { return (sqlite3_file *)((struct fault_file *)file + 1); }
static struct fault_file *ours(sqlite3_file *file) { return (struct fault_file *)file; }

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

/* ---- what is watched; all of it under the lock ---- */

static struct folder *watched(const char *path) {
    if (!path) return NULL;
    for (int i = 0; i < FOLDERS; i++) {
        if (!folders[i].path) continue;
        size_t length = strlen(folders[i].path);
        if (strncmp(path, folders[i].path, length) == 0 && (path[length] == '/' || path[length] == 0)) return &folders[i];
    }
    return NULL;
}

static struct folder *watched_locked(const char *path) {
    pthread_mutex_lock(&lock);
    struct folder *folder = watched(path);
    pthread_mutex_unlock(&lock);
    return folder;
}

static struct disk_file *on_disk(struct folder *folder, const char *path) {
    for (struct disk_file *file = folder->files; file; file = file->next)
        if (strcmp(file->path, path) == 0) return file;
    struct disk_file *file = must(calloc(1, sizeof(*file)));
    file->path = must(strdup(path));
    file->next = folder->files;
    folder->files = file;
    return file;
}

static uint8_t *content(const char *path, int64_t *size) {
    FILE *stream = fopen(path, "rb");
    *size = 0;
    if (!stream) return NULL;
    fseek(stream, 0, SEEK_END);
    *size = ftell(stream);
    rewind(stream);
    uint8_t *bytes = must(malloc((size_t)*size + 1));
    *size = (int64_t)fread(bytes, 1, (size_t)*size, stream);
    fclose(stream);
    return bytes;
}

static void note(struct disk_file *file, uint8_t *bytes, int64_t size) {
    free(file->bytes);
    file->bytes = bytes;
    file->size = size;
    file->is_there = bytes != NULL;
}

/* Before a file is opened: one never seen before is on the disk as it is; one that was deleted begins anew. */
static void note_opening(struct folder *folder, const char *path) {
    for (struct disk_file *file = folder->files; file; file = file->next) {
        if (strcmp(file->path, path) != 0) continue;
        if (access(path, F_OK) != 0) note(file, NULL, 0);
        return;
    }
    int64_t size = 0;
    uint8_t *bytes = content(path, &size);
    note(on_disk(folder, path), bytes, size);
}

/* Operations that only look, that write bytes, and that change what is durable in another way. */
enum operation { LOOK, WRITE, CHANGE };

/* Counts one operation, if the planned fault is one for it, and says what becomes of it. */
static enum fault_kind next(struct folder *folder, enum operation operation) {
    pthread_mutex_lock(&lock);
    bool concerns = folder->kind == FAULT_NONE || folder->kind == FAULT_IO || operation == WRITE
                    || (folder->kind == FAULT_POWER && (operation == CHANGE || folder->count >= folder->at));
    if (concerns) folder->count++;
    bool later = folder->for_ever || folder->kind == FAULT_POWER;
    bool meets = concerns && folder->kind != FAULT_NONE && (later ? folder->count >= folder->at : folder->count == folder->at);
    enum fault_kind kind = meets ? folder->kind : FAULT_NONE;
    pthread_mutex_unlock(&lock);
    return kind;
}


/* ---- a file ---- */

static int f_close(sqlite3_file *file) {
    int code = real(file)->pMethods->xClose(real(file));
    free(ours(file)->path);
    return code;
}

static int f_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    if (next(ours(file)->folder, LOOK)) return SQLITE_IOERR_READ;
    return real(file)->pMethods->xRead(real(file), bytes, count, offset);
}

static int f_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    switch (next(ours(file)->folder, WRITE)) {
    case FAULT_NONE: return real(file)->pMethods->xWrite(real(file), bytes, count, offset);
    case FAULT_FULL: return SQLITE_FULL;
    case FAULT_SHORT:
        real(file)->pMethods->xWrite(real(file), bytes, count / 2, offset);
        return SQLITE_IOERR_WRITE;
    default: return SQLITE_IOERR_WRITE;
    }
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size) {
    if (next(ours(file)->folder, CHANGE)) return SQLITE_IOERR_TRUNCATE;
    return real(file)->pMethods->xTruncate(real(file), size);
}

static int f_sync(sqlite3_file *file, int flags) {
    (void)flags;
    if (next(ours(file)->folder, CHANGE)) return SQLITE_IOERR_FSYNC;
    /* Read through the open file: closing another descriptor of it would drop the process' locks. */
    sqlite3_int64 size = 0;
    int code = real(file)->pMethods->xFileSize(real(file), &size);
    if (code != SQLITE_OK) return code;
    uint8_t *bytes = must(calloc(1, (size_t)size + 1));
    if (size > 0) code = real(file)->pMethods->xRead(real(file), bytes, (int)size, 0);
    if (code != SQLITE_OK) {
        free(bytes);
        return code;
    }
    pthread_mutex_lock(&lock);
    note(on_disk(ours(file)->folder, ours(file)->path), bytes, size);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int f_size(sqlite3_file *file, sqlite3_int64 *size) {
    if (next(ours(file)->folder, LOOK)) return SQLITE_IOERR_FSTAT;
    return real(file)->pMethods->xFileSize(real(file), size);
}

static int f_lock(sqlite3_file *file, int level) { return real(file)->pMethods->xLock(real(file), level); }
static int f_unlock(sqlite3_file *file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
static int f_check(sqlite3_file *file, int *held) {
    return real(file)->pMethods->xCheckReservedLock(real(file), held);
}
static int f_control(sqlite3_file *file, int operation, void *argument) {
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}
static int f_sector(sqlite3_file *file) {
    (void)file;
    return SECTOR;
}
/* Promises nothing: no atomic writes, no order, no safety of neighbouring bytes. */
static int f_device(sqlite3_file *file) {
    (void)file;
    return 0;
}
static int f_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
    if (next(ours(file)->folder, LOOK)) return SQLITE_IOERR_SHMMAP;
    return real(file)->pMethods->xShmMap(real(file), region, size, extend, memory);
}
static int f_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
static void f_shm_barrier(sqlite3_file *file) { real(file)->pMethods->xShmBarrier(real(file)); }
static int f_shm_unmap(sqlite3_file *file, int delete) { return real(file)->pMethods->xShmUnmap(real(file), delete); }

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

/* ---- the file system ---- */

static int v_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *given) {
    (void)vfs;
    struct folder *folder = watched_locked(path);
    if (!folder) return below->xOpen(below, path, file, flags, given);
    file->pMethods = NULL;
    if (next(folder, LOOK)) return SQLITE_CANTOPEN;
    pthread_mutex_lock(&lock);
    note_opening(folder, path);
    pthread_mutex_unlock(&lock);
    int code = below->xOpen(below, path, real(file), flags, given);
    if (code != SQLITE_OK) return code;
    ours(file)->folder = folder;
    ours(file)->path = must(strdup(path));
    file->pMethods = &methods;
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    (void)vfs;
    struct folder *folder = watched_locked(path);
    if (folder && next(folder, CHANGE)) return SQLITE_IOERR_DELETE;
    int code = below->xDelete(below, path, 0);
    if (folder && sync && code == SQLITE_OK) {
        pthread_mutex_lock(&lock);
        note(on_disk(folder, path), NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return code;
}

static int v_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
    (void)vfs;
    struct folder *folder = watched_locked(path);
    if (folder && next(folder, LOOK)) return SQLITE_IOERR_ACCESS;
    return below->xAccess(below, path, flags, result);
}

int fault_vfs_install(void) {
    pthread_mutex_lock(&lock);
    int code = SQLITE_OK;
    if (!below) {
        below = sqlite3_vfs_find(NULL);
        above = *below;
        above.zName = "datong-fault";
        above.pNext = NULL;
        above.szOsFile = below->szOsFile + (int)sizeof(struct fault_file);
        above.xOpen = v_open;
        above.xDelete = v_delete;
        above.xAccess = v_access;
        code = sqlite3_vfs_register(&above, 1);
    }
    pthread_mutex_unlock(&lock);
    return code;
}

bool fault_vfs_watch(const char *path) {
    pthread_mutex_lock(&lock);
    bool done = false;
    if (!watched(path)) {
        for (int i = 0; i < FOLDERS && !done; i++) {
            if (folders[i].path) continue;
            folders[i] = (struct folder){.path = must(strdup(path))};
            done = true;
        }
    }
    pthread_mutex_unlock(&lock);
    return done;
}

void fault_vfs_forget(const char *path) {
    pthread_mutex_lock(&lock);
    struct folder *folder = watched(path);
    if (folder) {
        while (folder->files) {
            struct disk_file *file = folder->files;
            folder->files = file->next;
            free(file->path);
            free(file->bytes);
            free(file);
        }
        free(folder->path);
        *folder = (struct folder){0};
    }
    pthread_mutex_unlock(&lock);
}

void fault_vfs_plan(const char *path, enum fault_kind kind, int64_t at, bool for_ever) {
    pthread_mutex_lock(&lock);
    struct folder *folder = watched(path);
    if (folder) {
        folder->kind = kind;
        folder->at = at;
        folder->for_ever = for_ever;
        folder->count = 0;
    }
    pthread_mutex_unlock(&lock);
}

int64_t fault_vfs_operations(const char *path) {
    struct folder *folder = watched_locked(path);
    return folder ? folder->count : 0;
}

bool fault_vfs_was_hit(const char *path) {
    struct folder *folder = watched_locked(path);
    return folder && folder->kind != FAULT_NONE && folder->count >= folder->at;
}

/* xorshift64*: the same seed gives the same sectors. */
static bool survives(uint64_t *state) {
    if (*state == 0) return false;
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * 0x2545F4914F6CDD1DULL) >> 63;
}

static bool is_shared_memory(const char *path) {
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, "-shm") == 0;
}

static void settle(struct disk_file *file, uint64_t *seed) {
    int64_t now = 0;
    uint8_t *written = content(file->path, &now);
    if (is_shared_memory(file->path)) {
        unlink(file->path);
    } else if (!written) {
        /* Deleted without a sync of the folder: it may be back. */
        if (file->is_there && survives(seed)) written = must(calloc(1, 1)), now = -1;
        else file->is_there = false;
    }
    if (!is_shared_memory(file->path) && written) {
        if (!file->is_there && !survives(seed)) {
            unlink(file->path);
        } else {
            /* The size is that of one of the two; each sector is the old or the new one. */
            int64_t size = now < 0 ? file->size : survives(seed) ? now : file->size;
            uint8_t *bytes = must(calloc(1, (size_t)size + 1));
            for (int64_t at = 0; at < size; at += SECTOR) {
                int64_t end = at + SECTOR < size ? at + SECTOR : size;
                for (int64_t i = at; i < end; i++) bytes[i] = i < file->size ? file->bytes[i] : 0;
                bool differs = false;
                for (int64_t i = at; i < end && !differs; i++) differs = i < now && bytes[i] != written[i];
                if (differs && survives(seed))
                    for (int64_t i = at; i < end && i < now; i++) bytes[i] = written[i];
            }
            FILE *stream = must(fopen(file->path, "wb"));
            if (fwrite(bytes, 1, (size_t)size, stream) != (size_t)size) abort();
            fclose(stream);
            free(file->bytes);
            file->bytes = bytes;
            file->size = size;
            file->is_there = true;
        }
    }
    free(written);
}

void fault_vfs_lose_power(const char *path, uint64_t seed) {
    pthread_mutex_lock(&lock);
    struct folder *folder = watched(path);
    if (folder) {
        for (struct disk_file *file = folder->files; file; file = file->next) settle(file, &seed);
        folder->kind = FAULT_NONE;
    }
    pthread_mutex_unlock(&lock);
}
