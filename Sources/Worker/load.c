/* Load a library, and say exactly why not. */
#include <ctype.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker.h"

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#else
#error "the plugin contract is for x86-64 and arm64"
#endif

static const datong_plugin *refuse(struct refusal *refusal, uint32_t code, const char *format, const char *what) {
    refusal->code = code;
    snprintf(refusal->detail, sizeof refusal->detail, format, what);
    return NULL;
}

static int valid_id(const char *id) {
    if (!id) return 0;
    size_t n = strnlen(id, PLUGIN_ID_BYTES + 1);
    if (n == 0 || n > PLUGIN_ID_BYTES) return 0;
    for (size_t i = 0; i < n; i++)
        if (!(islower((unsigned char)id[i]) || isdigit((unsigned char)id[i]) || id[i] == '-')) return 0;
    return 1;
}

static int valid_text(const char *text, size_t least) {
    if (!text) return 0;
    size_t n = strnlen(text, PLUGIN_TEXT_BYTES + 1);
    if (n < least || n > PLUGIN_TEXT_BYTES) return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e) return 0;
    return 1;
}

/* The dynamic loader's own message for a foreign file does not tell a wrong machine from rubbish. */
static int check_elf(const char *path, struct refusal *refusal) {
    /* Without waiting: a pipe in the library's place has no writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        refuse(refusal, errno == ENOENT || errno == ENOTDIR ? DW_FILE_MISSING : DW_FILE_UNREADABLE, "%s",
               strerror(errno));
        return 0;
    }
    Elf64_Ehdr header;
    struct stat status;
    ssize_t got = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? read(fd, &header, sizeof header) : -1;
    close(fd);
    if (got < 0) {
        refuse(refusal, DW_FILE_UNREADABLE, "%s", "not a regular file");
        return 0;
    }
    if ((size_t)got < sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        refuse(refusal, DW_NOT_ELF, "%s", "no ELF header");
        return 0;
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != OUR_MACHINE) {
        snprintf(refusal->detail, sizeof refusal->detail, "ELF class %u, data %u, machine %u; this host is machine %u",
                 header.e_ident[EI_CLASS], header.e_ident[EI_DATA], header.e_machine, OUR_MACHINE);
        refusal->code = DW_WRONG_MACHINE;
        return 0;
    }
    if (header.e_type != ET_DYN) {
        refuse(refusal, DW_NOT_ELF, "%s", "not a shared object");
        return 0;
    }
    return 1;
}

static const datong_plugin *refuse_symbol(void *library, struct refusal *refusal) {
    for (uint32_t epoch = 0; epoch < EPOCHS_PROBED; epoch++) {
        char name[32];
        snprintf(name, sizeof name, "datong_plugin_v%u", epoch);
        if (epoch != DATONG_EPOCH && dlsym(library, name)) return refuse(refusal, DW_OTHER_EPOCH, "%s", name);
    }
    return refuse(refusal, DW_MISSING_SYMBOL, "%s", DATONG_PLUGIN_SYMBOL);
}

const datong_plugin *load_plugin(const char *path, struct refusal *refusal) {
    *refusal = (struct refusal){0};
    if (!check_elf(path, refusal)) return NULL;
    /* Bound at once, so that a missing symbol shows here and not in production; never unmapped. */
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        const char *why = dlerror();
        if (!why) why = "no reason given";
        int dependency = strstr(why, "cannot open shared object file") || strstr(why, "undefined symbol") ||
                         strstr(why, "version `");
        return refuse(refusal, dependency ? DW_MISSING_DEPENDENCY : DW_LOAD_FAILED, "%s", why);
    }
    const datong_plugin *plugin = dlsym(library, DATONG_PLUGIN_SYMBOL);
    if (!plugin) return refuse_symbol(library, refusal);
    if (plugin->magic != DATONG_MAGIC) return refuse(refusal, DW_BAD_MAGIC, "%s", "the magic number is not DTPL");
    if (plugin->size < sizeof(datong_plugin) || plugin->size > STRUCT_BYTES)
        return refuse(refusal, DW_BAD_ENTRY, "%s", "size of datong_plugin");
    if (plugin->flags & 0xffff0000u) return refuse(refusal, DW_BAD_ENTRY, "%s", "a flag this host does not know");
    if (plugin->epoch != DATONG_EPOCH) return refuse(refusal, DW_BAD_ENTRY, "%s", "epoch differs from the symbol's");
    refusal->needs = plugin->minor_needs;
    refusal->built = plugin->minor_built;
    if (plugin->minor_needs > plugin->minor_built)
        return refuse(refusal, DW_BAD_ENTRY, "%s", "needs a newer minor than it was built with");
    if (plugin->minor_needs > host_table.minor_max) return refuse(refusal, DW_MINOR_TOO_NEW, "%s", "");
    if (plugin->minor_built < host_table.minor_min) return refuse(refusal, DW_MINOR_TOO_OLD, "%s", "");
    if (!valid_id(plugin->id)) return refuse(refusal, DW_BAD_ENTRY, "%s", "id is not [a-z0-9-]{1,32}");
    if (!valid_text(plugin->version, 1) || !valid_text(plugin->build, 0))
        return refuse(refusal, DW_BAD_ENTRY, "%s", "version or build is not short ASCII text");
    if (!plugin->init || !plugin->shutdown || !plugin->get_ability || !plugin->open || !plugin->close)
        return refuse(refusal, DW_BAD_ENTRY, "%s", "a function of datong_plugin is missing");
    return plugin;
}
