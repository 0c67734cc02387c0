/// What the in-guest stub and the host agree on: for C, for assembly and, through CKVM.h, for
/// Swift.
///
/// All offsets are in bytes. GPA and GVA of sevdbg's pages are the same: they are identity-mapped.
#ifndef CKVM_STUB_H
#define CKVM_STUB_H

/* The block: one private page per vCPU, right above the stack of its #VC handler (IST1). */
#define BLOCK_GDT 0x000             /* eight descriptors; GDTR limit 0x3f */
#define BLOCK_TSS 0x040             /* 104 bytes */
#define BLOCK_GHCB_GPA 0x100        /* u64: the vCPU's GHCB; 0 while it has none */
#define BLOCK_GHCB_GVA 0x108        /* u64: where the stub reaches it */
#define BLOCK_MAILBOX 0x110         /* u64: GVA of the vCPU's mailbox */
#define BLOCK_POOL 0x118            /* u64: GVA of the pool; 0 in the other setups */
#define BLOCK_RAM_END 0x120         /* u64: the first GPA without RAM */
#define BLOCK_DR7 0x128             /* u64: what the guest last wrote to DR7 */
#define BLOCK_GUEST_MSR 0x130       /* u64: the guest's GHCB MSR while the handler runs */
#define BLOCK_VERSION 0x138         /* u16: the GHCB protocol version of the VM */
#define BLOCK_IN_HANDLER 0x13a      /* u8: 1 while the #VC handler runs */

/* What lies at the top of a vCPU's stack when the guest starts: rsp + offset. */
#define LAUNCH_RETURN 0x00          /* u64: the return address, sevdbg_returned */
#define LAUNCH_BLOCK 0x08           /* u64: GVA of the block */
#define LAUNCH_SIZE 0x18            /* so that rsp is 8 mod 16 below a page boundary */

/* The pool: a private header with the bitmap and an entry for each page, which lies elsewhere. */
#define POOL_COUNT 0x00             /* u32: entries, 1 to POOL_LIMIT */
#define POOL_IN_USE 0x08            /* POOL_LIMIT bits, one for each entry */
#define POOL_ENTRIES 0x80
#define POOL_ENTRY_GPA 0x00         /* u64 */
#define POOL_ENTRY_GVA 0x08         /* u64 */
#define POOL_ENTRY_SHIFT 4          /* an entry has 16 bytes */
#define POOL_LIMIT 512              /* KVM_MAX_VCPUS of the KVM selftests */
#define POOL_ROUNDS 0x10000         /* looks at the whole bitmap before a vCPU gives up */

/* The mailbox: one shared page per vCPU, where the stub tells the host what it does. */
#define MAILBOX_VERSION 0x00        /* u32: MAILBOX_CURRENT, set by the host */
#define MAILBOX_VCPU 0x04           /* u32: the vCPU's number, set by the host */
#define MAILBOX_STATE 0x08          /* u32: a MAILBOX_STATE_ value */
#define MAILBOX_REASON 0x0c         /* u32: a STUB_ value, in state terminated */
#define MAILBOX_EXIT_CODE 0x10      /* u64: error code of the #VC that the stub gave up on */
#define MAILBOX_RIP 0x18            /* u64: RIP of that #VC */

#define MAILBOX_CURRENT 1
#define MAILBOX_STATE_RUNNING 0
#define MAILBOX_STATE_RETURNED 1    /* the guest returned from its entry */
#define MAILBOX_STATE_TERMINATED 2  /* the stub ended the VM */

/* Reasons for which the stub ends the VM, in termination set STUB_SET. */
#define STUB_SET 5
#define STUB_UNSUPPORTED 0          /* no handling for this #VC */
#define STUB_EXCEPTION 1            /* the guest must take an exception, and has no IDT for it */
#define STUB_REFUSED 2              /* the hypervisor calls it malformed, or omits a field */
#define STUB_NOT_DECODED 3          /* the instruction is none that this #VC can come from */
#define STUB_NO_GHCB 4              /* no entry of the pool is free, or the vCPU has none */
#define STUB_NESTED 5               /* a #VC inside the #VC handler */
#define STUB_NOT_MMIO 6             /* an MMIO access to an address that has RAM */

#endif
