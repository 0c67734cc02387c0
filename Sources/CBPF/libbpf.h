// What is used of libbpf 1.x, whose binary interface does not change: declared here and found when it
// is first needed, so that the program builds and runs where the library is not installed.
#ifndef LIBBPF_H
#define LIBBPF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;
struct bpf_program;
struct bpf_map;
struct bpf_link;

enum { LIBBPF_WARN };

/// `union bpf_iter_link_info`, of an iterator over tasks.
struct libbpf_iter_target {
    uint32_t tid, pid, pidfd;
};

/// `struct bpf_iter_attach_opts`.
struct libbpf_iter_options {
    size_t size;
    struct libbpf_iter_target *target;
    /// 32 bits in libbpf, which wants the padding behind them to be zero.
    uint64_t target_size;
};

/// `struct bpf_test_run_opts`.
struct libbpf_test_options {
    size_t size;
    const void *data_in;
    void *data_out;
    uint32_t data_size_in, data_size_out;
    const void *context;
    void *context_out;
    uint32_t context_size, context_size_out;
    uint32_t result;
    int repeat;
    uint32_t duration, flags, cpu, batch_size;
};

/// `struct bpf_object_open_opts`, as far as it is used.
struct libbpf_open_options {
    size_t size;
    const char *object_name;
    uint64_t relaxed_maps;
    const char *pin_root_path;
    uint64_t attach_prog_fd;
    const char *kconfig;
    const char *btf_custom_path;
};

/// `struct bpf_prog_load_opts`, as far as it is used.
struct libbpf_load_options {
    size_t size;
    int attempts;
    int expected_attach_type;
    uint32_t prog_btf_fd, prog_flags, prog_ifindex, kern_version;
    uint32_t attach_btf_id;
};

/// `struct libbpf_prog_handler_opts`.
struct libbpf_handler_options {
    size_t size;
    long cookie;
    void *setup;
    int (*prepare_load)(struct bpf_program *, struct libbpf_load_options *, long cookie);
    void *attach;
};

typedef int (*libbpf_printer)(int level, const char *format, va_list arguments);

#define LIBBPF_FUNCTIONS(X) \
    X(libbpf_printer, libbpf_set_print, libbpf_printer) \
    X(struct bpf_object *, bpf_object__open_mem, const void *, size_t, \
        const struct libbpf_open_options *) \
    X(int, bpf_object__load, struct bpf_object *) \
    X(void, bpf_object__close, struct bpf_object *) \
    X(struct bpf_map *, bpf_object__next_map, const struct bpf_object *, const struct bpf_map *) \
    X(struct bpf_map *, bpf_object__find_map_by_name, const struct bpf_object *, const char *) \
    X(struct bpf_program *, bpf_object__find_program_by_name, const struct bpf_object *, const char *) \
    X(int, bpf_map__fd, const struct bpf_map *) \
    X(const char *, bpf_map__name, const struct bpf_map *) \
    X(uint32_t, bpf_map__max_entries, const struct bpf_map *) \
    X(int, bpf_map__set_max_entries, struct bpf_map *, uint32_t) \
    X(int, bpf_map__set_initial_value, struct bpf_map *, const void *, size_t) \
    X(int, libbpf_register_prog_handler, const char *, int, int, \
        const struct libbpf_handler_options *) \
    X(int, bpf_program__set_type, struct bpf_program *, int) \
    X(int, bpf_program__fd, const struct bpf_program *) \
    X(struct bpf_link *, bpf_program__attach, const struct bpf_program *) \
    X(struct bpf_link *, bpf_program__attach_iter, const struct bpf_program *, \
        const struct libbpf_iter_options *) \
    X(int, bpf_link__fd, const struct bpf_link *) \
    X(int, bpf_link__destroy, struct bpf_link *) \
    X(int, bpf_iter_create, int) \
    X(int, bpf_prog_test_run_opts, int, struct libbpf_test_options *) \
    X(int, bpf_map_lookup_elem, int, const void *, void *) \
    X(int, bpf_map_update_elem, int, const void *, const void *, uint64_t)

#define LIBBPF_POINTER(type, name, ...) type (*name)(__VA_ARGS__);
struct libbpf {
    LIBBPF_FUNCTIONS(LIBBPF_POINTER)
};
#undef LIBBPF_POINTER

#endif
