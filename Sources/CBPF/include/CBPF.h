/// BPF through libbpf, which is looked for when it is first needed: a machine without it runs the rest.
///
/// Functions return 0 or a value ≥ 0, and -errno where something is refused; the text of the reason
/// is then in `cbpf_reason`.
#ifndef CBPF_H
#define CBPF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "observe.h"

/// The size of an entry of the map `threads`.
enum { CBPF_COUNTERS_SIZE = sizeof(struct observe_counters) };

/// A loaded object, with what is attached of it.
struct cbpf_object;

/// Types of the kernel for programs to be fitted to.
struct cbpf_types {
    /// A file of BTF.
    const void *bytes;
    size_t size;
    /// The kernel's number of `bpf_iter_task_file`; 0: not known.
    uint32_t iterator;
};

/// Opens an object, which clang made; NULL where that fails.
///
/// @param types with NULL libbpf looks at all types that the kernel and its modules have.
struct cbpf_object *cbpf_open(const void *bytes, size_t size, const struct cbpf_types *types);
/// Detaches and unloads.
void cbpf_close(struct cbpf_object *object);
/// Gives the programs their constants; before they are loaded.
int cbpf_set_constants(struct cbpf_object *object, const struct observe_constants *constants);
/// Gives a map another number of entries; before it is loaded.
int cbpf_resize(struct cbpf_object *object, const char *map, uint32_t entries);
/// Hands the object to the kernel, which verifies it.
int cbpf_load(struct cbpf_object *object);
/// Attaches a program where its section says.
///
/// @returns the number of the link, for `cbpf_detach`.
int cbpf_attach(struct cbpf_object *object, const char *program);
void cbpf_detach(struct cbpf_object *object, int link);
/// Attaches an iterator to one process.
///
/// @returns a descriptor that the records are read from.
int cbpf_iterate(struct cbpf_object *object, const char *program, pid_t process);
/// Runs a program once, as if its tracepoint had these arguments.
int cbpf_test(struct cbpf_object *object, const char *program, const uint64_t *arguments, size_t count);
/// Copies an entry of a map; the value has the size that observe.h gives it.
int cbpf_lookup(struct cbpf_object *object, const char *map, uint32_t key, void *value);
int cbpf_update(struct cbpf_object *object, const char *map, uint32_t key, const void *value);
/// What libbpf or the kernel said last.
const char *cbpf_reason(void);

/// A BPF ring buffer, read by this thread alone.
struct cbpf_ring;

struct cbpf_ring *cbpf_ring_open(struct cbpf_object *object, const char *map);
void cbpf_ring_close(struct cbpf_ring *ring);
/// Copies the next record, at most `capacity` bytes of it.
///
/// @returns its length; 0 when there is none.
size_t cbpf_ring_read(struct cbpf_ring *ring, void *buffer, size_t capacity);
/// A descriptor for poll(2).
int cbpf_ring_descriptor(const struct cbpf_ring *ring);

/// Whether the processor has SVM, which kvm_amd needs.
int cbpf_has_svm(void);
/// The position of the C-bit, as CPUID 0x8000001f gives it; 0 without SEV.
int cbpf_c_bit(void);

#endif
