#define _GNU_SOURCE
#include "CBPF.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libbpf.h"

static char reason[512];
/// Whether the reason is the verifier's, which nothing later explains better.
static int has_verdict;

const char *cbpf_reason(void)
{
    return reason;
}

static int refuse(int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    return -error;
}

#define MOST_LINKS 24

struct cbpf_object {
    struct bpf_object *object;
    /// A file of the kernel's types that libbpf looks at; -1: all there are.
    int types;
    /// NULL where nothing is attached.
    struct bpf_link *links[MOST_LINKS];
};

static struct libbpf libbpf;

// MARK: The library and the objects

/// The last thing that the verifier says before its statistics: what is wrong with the program.
static const char *verdict(char *log)
{
    char *end = strstr(log, "\nprocessed ");

    if (!end) return NULL;
    *end = 0;
    char *line = strrchr(log, '\n');
    return line ? line + 1 : log;
}

/// Keeps the verifier's verdict, else the last line of what libbpf says.
static int keep(int level, const char *format, va_list arguments)
{
    static char text[1 << 16];

    if (level != LIBBPF_WARN || has_verdict) return 0;
    vsnprintf(text, sizeof(text), format, arguments);
    const char *line = verdict(text);
    has_verdict = line != NULL;
    snprintf(reason, sizeof(reason), "%s", line ? line : text);
    reason[strcspn(reason, "\n")] = 0;
    return 0;
}

static int open_library(void)
{
    static void *library;

    if (library) return 0;
    library = dlopen("libbpf.so.1", RTLD_NOW);
    if (!library) return refuse(ENOENT, "libbpf.so.1 is not installed (Debian: libbpf1)");
#define FIND(type, name, ...) \
    if (!(libbpf.name = (__typeof__(libbpf.name))dlsym(library, #name))) \
        return library = 0, refuse(ENOSYS, "libbpf.so.1 has no function " #name ": too old");
    LIBBPF_FUNCTIONS(FIND)
#undef FIND
    libbpf.libbpf_set_print(keep);
    return 0;
}

/// Gives an iterator the number of its type, and only now its own type: of a program that is of it from
/// the start, libbpf reads all of the kernel's types for this number.
static int prepare_iterator(struct bpf_program *program, struct libbpf_load_options *options, long type)
{
    options->attach_btf_id = type;
    return libbpf.bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

/// Once for all objects: the kernel's types do not change.
static void register_iterator(uint32_t type)
{
    static int is_registered;
    struct libbpf_handler_options options = {
        .size = sizeof(options), .cookie = type, .prepare_load = prepare_iterator};

    if (type == 0 || is_registered) return;
    is_registered = libbpf.libbpf_register_prog_handler(
        "iter/task_file", BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_TRACE_ITER, &options) >= 0;
}

/// A file that libbpf can read them from.
static int types_file(const struct cbpf_types *types)
{
    int file = memfd_create("types", MFD_CLOEXEC);

    if (file < 0 || write(file, types->bytes, types->size) == (ssize_t)types->size) return file;
    close(file);
    return -1;
}

struct cbpf_object *cbpf_open(const void *bytes, size_t size, const struct cbpf_types *types)
{
    struct libbpf_open_options options = {.size = sizeof(options)};
    struct cbpf_object *object;
    char path[32];

    if (open_library() || !(object = calloc(1, sizeof(*object)))) return NULL;
    object->types = types ? types_file(types) : -1;
    if (object->types >= 0) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", object->types);
        options.btf_custom_path = path;
        register_iterator(types->iterator);
    }
    object->object = libbpf.bpf_object__open_mem(bytes, size, &options);
    if (object->object) return object;
    cbpf_close(object);
    return NULL;
}

void cbpf_close(struct cbpf_object *object)
{
    if (!object) return;
    for (int link = 0; link < MOST_LINKS; link++) cbpf_detach(object, link);
    libbpf.bpf_object__close(object->object);
    if (object->types >= 0) close(object->types);
    free(object);
}

static struct bpf_map *map_of(struct cbpf_object *object, const char *name)
{
    return libbpf.bpf_object__find_map_by_name(object->object, name);
}

int cbpf_set_constants(struct cbpf_object *object, const struct observe_constants *constants)
{
    static const char section[] = ".rodata";
    struct bpf_map *map = NULL;

    // The name is the section's behind one that libbpf makes up; literals have sections of their own.
    while ((map = libbpf.bpf_object__next_map(object->object, map))) {
        const char *name = libbpf.bpf_map__name(map);
        size_t length = strlen(name);
        if (length >= strlen(section) && !strcmp(name + length - strlen(section), section))
            return libbpf.bpf_map__set_initial_value(map, constants, sizeof(*constants));
    }
    return refuse(ENOENT, "the BPF program has no constants");
}

int cbpf_resize(struct cbpf_object *object, const char *map, uint32_t entries)
{
    struct bpf_map *found = map_of(object, map);

    return found ? libbpf.bpf_map__set_max_entries(found, entries) : refuse(ENOENT, "no map %s", map);
}

int cbpf_load(struct cbpf_object *object)
{
    reason[0] = 0;
    has_verdict = 0;
    return libbpf.bpf_object__load(object->object);
}

// MARK: Programs

static struct bpf_program *program_of(struct cbpf_object *object, const char *name)
{
    return libbpf.bpf_object__find_program_by_name(object->object, name);
}

int cbpf_attach(struct cbpf_object *object, const char *program)
{
    struct bpf_program *found = program_of(object, program);
    int link = 0;

    while (link < MOST_LINKS && object->links[link]) link++;
    if (!found || link == MOST_LINKS) return refuse(ENOENT, "no BPF program %s", program);
    object->links[link] = libbpf.bpf_program__attach(found);
    return object->links[link] ? link : -errno;
}

void cbpf_detach(struct cbpf_object *object, int link)
{
    if (object->links[link]) libbpf.bpf_link__destroy(object->links[link]);
    object->links[link] = NULL;
}

int cbpf_iterate(struct cbpf_object *object, const char *program, pid_t process)
{
    struct bpf_program *found = program_of(object, program);
    struct libbpf_iter_target target = {.pid = process};
    struct libbpf_iter_options options = {sizeof(options), &target, sizeof(target)};
    int descriptor;

    if (!found) return refuse(ENOENT, "no BPF program %s", program);
    struct bpf_link *link = libbpf.bpf_program__attach_iter(found, &options);
    if (!link) return -errno;
    // The descriptor holds what it needs of the link.
    descriptor = libbpf.bpf_iter_create(libbpf.bpf_link__fd(link));
    libbpf.bpf_link__destroy(link);
    return descriptor;
}

int cbpf_test(struct cbpf_object *object, const char *program, const uint64_t *arguments, size_t count)
{
    struct bpf_program *found = program_of(object, program);
    struct libbpf_test_options options = {
        .size = sizeof(options), .context = arguments, .context_size = count * sizeof(*arguments)};

    if (!found) return refuse(ENOENT, "no BPF program %s", program);
    return libbpf.bpf_prog_test_run_opts(libbpf.bpf_program__fd(found), &options);
}

// MARK: Maps

int cbpf_lookup(struct cbpf_object *object, const char *map, uint32_t key, void *value)
{
    struct bpf_map *found = map_of(object, map);

    if (!found) return refuse(ENOENT, "no map %s", map);
    return libbpf.bpf_map_lookup_elem(libbpf.bpf_map__fd(found), &key, value);
}

int cbpf_update(struct cbpf_object *object, const char *map, uint32_t key, const void *value)
{
    struct bpf_map *found = map_of(object, map);

    if (!found) return refuse(ENOENT, "no map %s", map);
    return libbpf.bpf_map_update_elem(libbpf.bpf_map__fd(found), &key, value, BPF_ANY);
}

// MARK: The ring buffer

/// The kernel maps a page with the reader's position, one with the writer's, and the data twice in a
/// row so that no record is ever cut; kernel/bpf/ringbuf.c.
struct cbpf_ring {
    int descriptor;
    size_t page, size;
    uint64_t *read;
    const uint64_t *written;
    const uint8_t *data;
};

struct cbpf_ring *cbpf_ring_open(struct cbpf_object *object, const char *map)
{
    struct bpf_map *found = map_of(object, map);
    struct cbpf_ring *ring = found ? calloc(1, sizeof(*ring)) : NULL;

    if (!ring) return NULL;
    ring->descriptor = libbpf.bpf_map__fd(found);
    ring->page = sysconf(_SC_PAGESIZE);
    ring->size = libbpf.bpf_map__max_entries(found);
    ring->read = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->descriptor, 0);
    ring->written = mmap(
        NULL, ring->page + 2 * ring->size, PROT_READ, MAP_SHARED, ring->descriptor, ring->page);
    if (ring->read != MAP_FAILED && ring->written != MAP_FAILED) {
        ring->data = (const uint8_t *)ring->written + ring->page;
        return ring;
    }
    refuse(errno, "cannot map the ring buffer: %s", strerror(errno));
    cbpf_ring_close(ring);
    return NULL;
}

void cbpf_ring_close(struct cbpf_ring *ring)
{
    if (!ring) return;
    if (ring->read != MAP_FAILED) munmap(ring->read, ring->page);
    if (ring->written != MAP_FAILED) munmap((void *)ring->written, ring->page + 2 * ring->size);
    free(ring);
}

int cbpf_ring_descriptor(const struct cbpf_ring *ring)
{
    return ring->descriptor;
}

size_t cbpf_ring_read(struct cbpf_ring *ring, void *buffer, size_t capacity)
{
    for (;;) {
        uint64_t position = *ring->read;
        if (position == __atomic_load_n(ring->written, __ATOMIC_ACQUIRE)) return 0;

        const uint8_t *record = ring->data + (position & (ring->size - 1));
        uint32_t head = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
        if (head & BPF_RINGBUF_BUSY_BIT) return 0;

        size_t length = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
        size_t copied = length < capacity ? length : capacity;
        if (!(head & BPF_RINGBUF_DISCARD_BIT)) memcpy(buffer, record + BPF_RINGBUF_HDR_SZ, copied);
        position += (BPF_RINGBUF_HDR_SZ + length + 7) & ~7ul;
        __atomic_store_n(ring->read, position, __ATOMIC_RELEASE);
        if (!(head & BPF_RINGBUF_DISCARD_BIT)) return copied;
    }
}
