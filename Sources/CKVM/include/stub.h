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
#define BLOCK_DEBUGGED 0x13b        /* u8: 1 if the host debugs through the stub */
#define BLOCK_STEPPING 0x13c        /* u8: 1 from a step command to the next stop */
#define BLOCK_NMI 0x13d             /* u8: 1 while an NMI is taken that KVM holds for pending */
#define BLOCK_INTERRUPTED 0x13e     /* u8: 1 if an NMI came inside the stub: it stops on its way out */
#define BLOCK_START 0x140           /* u64: where the vCPU would start without the debug stub */
#define BLOCK_FIXUP 0x148           /* u64: where a fault leads while the stub stands still */
#define BLOCK_STOP_IDTR 0x150       /* 10 bytes: the IDT while the stub stands still */
#define BLOCK_GUEST_IDTR 0x160      /* 10 bytes: the guest's IDTR, meanwhile */
#define BLOCK_SIZE 0x1000           /* the upper part is the stack of the NMI handler (IST2) */

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

/* The mailbox: a shared page per vCPU, where the stub tells the host what it does. Behind it lie the
   shadow of the GHCB and a GHCB of the stub's own. */
#define MAILBOX_MAGIC 0x00          /* u32: MAILBOX_MAGIC_VALUE, set by the host */
#define MAILBOX_VERSION 0x04        /* u32: MAILBOX_CURRENT, set by the host */
#define MAILBOX_VCPU 0x08           /* u32: the vCPU's number, set by the host */
#define MAILBOX_STATE 0x0c          /* u32: a MAILBOX_STATE_ value */
#define MAILBOX_REASON 0x10         /* u32: a STUB_ value, in state terminated */
#define MAILBOX_SEQUENCE 0x14       /* u32: one more with each stop and each answer */
#define MAILBOX_EXIT_CODE 0x18      /* u64: error code of the #VC that the stub gave up on */
#define MAILBOX_RIP 0x20            /* u64: RIP of that #VC */
#define MAILBOX_STOP 0x28           /* u32: a STOP_ value, in state stopped */
#define MAILBOX_STOP_REQUEST 0x2c   /* u32: set by the host to stop the vCPU behind this #VC */
#define MAILBOX_COMMAND 0x30        /* u32: a COMMAND_ value, set by the host before it resumes */
#define MAILBOX_RESULT 0x34         /* u32: a RESULT_ value, after a command on memory */
#define MAILBOX_ADDRESS 0x38        /* u64: GVA that the command is about */
#define MAILBOX_COUNT 0x40          /* u64: bytes, at most MAILBOX_DATA_SIZE */
#define MAILBOX_TRACE 0x48          /* u32: set by the host to be told of each exchange */
#define MAILBOX_FRAME 0x80          /* the frame of handler.h; the host changes it to set registers */
#define MAILBOX_CR0 0x140           /* u64 each, from here on */
#define MAILBOX_CR2 0x148
#define MAILBOX_CR3 0x150
#define MAILBOX_CR4 0x158
#define MAILBOX_CR8 0x160
#define MAILBOX_EFER 0x168
#define MAILBOX_XCR0 0x170          /* 1 where CR4 does not let it be read */
#define MAILBOX_DR6 0x178
#define MAILBOX_DR7 0x180           /* what the guest last wrote: the processor's stays as it is */
#define MAILBOX_GHCB 0x188          /* the guest's GHCB MSR; in an exchange, that of the exchange */
#define MAILBOX_FS_BASE 0x190
#define MAILBOX_GS_BASE 0x198
#define MAILBOX_GDTR 0x1a0          /* limit u16, base u64 */
#define MAILBOX_IDTR 0x1b0
#define MAILBOX_SELECTORS 0x1c0     /* u16 each: ES, CS, SS, DS, FS, GS, LDTR, TR */
#define MAILBOX_RIGHTS 0x1d0        /* u32 each: LAR of the first six, 0 for a null selector */
#define MAILBOX_CODE_SIZE 0x1f0     /* u64: bytes of code that can be read at RIP: 0, 8 or 16 */
#define MAILBOX_CODE 0x1f8          /* 16 bytes */
#define MAILBOX_LSTAR 0x208         /* u64: where SYSCALL leads */
#define MAILBOX_HEAD_SIZE 0x210
#define MAILBOX_DATA 0x400          /* what a command on memory moves */
#define MAILBOX_DATA_SIZE 0xc00
#define MAILBOX_SHADOW 0x1000       /* the GHCB as it was when the #VC handler sent it */
#define MAILBOX_OWN_GHCB 0x2000     /* for what the stub itself has to ask the hypervisor */
#define MAILBOX_PAGES 3

#define MAILBOX_MAGIC_VALUE 0x42564553  /* "SEVB" */
#define MAILBOX_CURRENT 2
#define MAILBOX_STATE_RUNNING 0
#define MAILBOX_STATE_RETURNED 1    /* the guest returned from its entry */
#define MAILBOX_STATE_TERMINATED 2  /* the stub ended the VM */
#define MAILBOX_STATE_STOPPED 3     /* the debug stub waits, halted, for a command */
#define MAILBOX_STATE_EXCHANGING 4  /* the #VC handler waits for the hypervisor's answer */
#define MAILBOX_STATE_ANSWERED 5    /* it has the answer, and halts so that the host can look */

/* Why the debug stub stops. */
#define STOP_ENTRY 1                /* before the vCPU's first instruction */
#define STOP_STEP 2                 /* behind one instruction */
#define STOP_BREAKPOINT 3           /* behind an INT3 */
#define STOP_INTERRUPT 4            /* for an NMI */
#define STOP_REQUESTED 5            /* behind a #VC, for MAILBOX_STOP_REQUEST */

/* What the host can ask of a stopped stub. */
#define COMMAND_NONE 0
#define COMMAND_CONTINUE 1          /* go on with the frame in the mailbox */
#define COMMAND_STEP 2              /* the same, for one instruction */
#define COMMAND_READ 3              /* memory to MAILBOX_DATA */
#define COMMAND_WRITE 4             /* MAILBOX_DATA to memory, whether it is writable or not */

#define RESULT_OK 0
#define RESULT_FAULT 1              /* the memory cannot be reached */
#define RESULT_REFUSED 2            /* no such command, or too many bytes */

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
