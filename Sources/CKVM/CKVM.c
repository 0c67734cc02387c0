#include "CKVM.h"

/// The bytes between two symbols that guest/blob.h defines.
struct extent {
    const uint8_t *start, *end;
};

#define DECLARE(name) \
    extern const uint8_t ckvm_##name##_code[], ckvm_##name##_code_end[]; \
    extern const uint8_t ckvm_##name##_symbols[], ckvm_##name##_symbols_end[];
CKVM_BLOBS(DECLARE)

#define ROW(name) \
    [ckvm_blob_##name] = { \
        {ckvm_##name##_code, ckvm_##name##_code_end}, \
        {ckvm_##name##_symbols, ckvm_##name##_symbols_end}, \
    },
static const struct extent blobs[ckvm_blob_count][2] = {CKVM_BLOBS(ROW)};

size_t ckvm_blob_size(enum ckvm_blob blob, enum ckvm_part part)
{
    if (blob >= ckvm_blob_count || part > ckvm_part_symbols)
        return 0;
    return (size_t)(blobs[blob][part].end - blobs[blob][part].start);
}

uint8_t ckvm_blob_byte(enum ckvm_blob blob, enum ckvm_part part, size_t offset)
{
    return offset < ckvm_blob_size(blob, part) ? blobs[blob][part].start[offset] : 0;
}
