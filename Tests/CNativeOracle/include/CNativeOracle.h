/// Executes single instructions on the host's own processor, for comparison with the emulator.
///
/// x86-64 Linux only; elsewhere `oracle_open` fails. It belongs to the thread that opened it.
#ifndef CNATIVEORACLE_H
#define CNATIVEORACLE_H

#include <stdbool.h>
#include <stdint.h>

/// Where the instruction may lie: two executable pages between unmapped ones.
#define ORACLE_CODE 0x10000000ull
#define ORACLE_CODE_SIZE 0x2000ull
/// Data: two writable pages, a hole, a writable page, a read-only page; unmapped around them.
#define ORACLE_DATA 0x20000000ull
#define ORACLE_DATA_SIZE 0x5000ull
#define ORACLE_HOLE 0x20002000ull
#define ORACLE_READONLY 0x20004000ull
/// A page of the oracle's own that no operand may lie in.
#define ORACLE_PRIVATE 0x10010000ull

/// The state that an instruction works on; the order is fixed by the assembly.
struct oracle_state {
    /// In encoding order.
    uint64_t gpr[16];
    uint64_t rip;
    uint64_t rflags;
    /// FXSAVE64's area as quadwords.
    _Alignas(16) uint64_t fx[64];
};

/// The fault that ended an instruction.
struct oracle_fault {
    /// The exception's vector; -1 where there was none.
    int32_t vector;
    uint64_t error_code;
    uint64_t cr2;
};

/// Whether the host has what the emulator has, and is of the make that it was compared with.
bool oracle_is_supported(void);

/// Maps the pages and installs the signal handlers, after waiting until no other thread has them.
/// - Returns: false where that fails.
bool oracle_open(void);
/// Puts the previous signal handlers back, on the thread that opened.
void oracle_close(void);

/// The code pages, writable.
uint8_t *_Nonnull oracle_code(void);
/// The data pages from `ORACLE_DATA` on, writable, the hole included (there it is nobody's).
uint8_t *_Nonnull oracle_data(void);

/// Executes the instruction at `state->rip`, to the fault, or to where it goes on.
///
/// There execution is stopped by an INT3, by missing code or, which spares a signal, by the bytes of
/// `oracle_exit_code` when they stand behind an instruction that does not branch (`falls_through`).
struct oracle_fault oracle_run(
    struct oracle_state *_Nonnull state, unsigned length, bool falls_through);

#define ORACLE_EXIT_SIZE 7
/// Writes the code that ends a run: a jump back that changes neither flags nor registers.
void oracle_exit_code(uint8_t *_Nonnull bytes);

#endif
