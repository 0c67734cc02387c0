/// The C side of sevdbg: the ioctls of KVM, and the code that runs inside guests.
#ifndef CKVM_H
#define CKVM_H

#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "ioctls.h"
#include "stub.h"

/// The programs of guest/: position-independent, copied into guest memory.
#define CKVM_BLOBS(X) \
    X(stub) X(hello) X(smoke) X(cpuid) X(msr) X(ioio) X(mmio) X(ucall) X(smp) X(hv_features) \
    X(nested_vc) X(spin) \
    X(bug_trampolines) X(bug_requests) X(bug_pages) X(bug_first_entry) X(bug_entries) X(bug_msr) \
    X(bug_vc) X(bug_ucall) X(bug_hypervisor) X(bug_mappings)

#define CKVM_BLOB_CASE(name) ckvm_blob_##name,
enum ckvm_blob { CKVM_BLOBS(CKVM_BLOB_CASE) ckvm_blob_count };
#undef CKVM_BLOB_CASE

/// What a blob consists of.
enum ckvm_part {
    /// The bytes to copy into guest memory.
    ckvm_part_code,
    /// For each symbol: its offset in the code (u32, little-endian) and its name, zero-terminated.
    ckvm_part_symbols,
};

/// The size of a part in bytes; 0 for a blob or part that there is none of.
size_t ckvm_blob_size(enum ckvm_blob blob, enum ckvm_part part);

/// One byte of a part; 0 behind its end.
uint8_t ckvm_blob_byte(enum ckvm_blob blob, enum ckvm_part part, size_t offset);

#endif
