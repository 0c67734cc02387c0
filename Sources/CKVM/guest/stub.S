// The stub: what sevdbg puts into every guest beside the guest itself.
//
// It gives a vCPU its GHCB (the setups pool and trampoline), catches the return of a guest, handles
// #VC for guests that have no IDT of their own, and is the debugger's hand inside the guest. stub.h
// has what it shares with the host.

#include "stub.h"
#include "ghcb.h"
#include "blob.h"

    // A label inside the #VC handler that the debugger knows, with the stub's prefix.
    .macro part name
\name:
    symbol_record \name, "sevdbg_\name"
    .endm

    blob_begin stub
#include "stub/setups.h"
#include "stub/handler.h"
#include "stub/decoder.h"
#include "stub/events.h"
#include "stub/ports.h"
#include "stub/mmio.h"
#include "stub/debug.h"
    blob_end stub
