/* A guest with its own #VC handler: CPUID, ports, MSRs and MMIO through the page, questions by
 * the MSR protocol, and #VC inside a handler. */
#include "system.h"

#define SERIAL 0xfe000000ul

/* MMIO arrives as #VC 0x400; this guest only stores AL at (RDI): 88 07. */
static void store_byte(struct frame *frame)
{
    ghcb_begin();
    *(volatile u8 *)(ghcb_address() + GHCB_BUFFER) = (u8)frame->rax;
    ghcb_set(GHCB_SCRATCH, ghcb_address() + GHCB_BUFFER);
    if (ghcb_exit(0x80000002, frame->rdi, 1))
        print_string("store refused\n");
    frame->rip += 2;
}

void on_exception(struct frame *frame)
{
    if (frame->vector == VECTOR_VC && frame->error == 0x400)
        return store_byte(frame);
    print_string("vector ");
    print_decimal((i64)frame->vector);
    print_value(" error", frame->error);
    if (frame->vector == 13)
        frame->rip += 2; /* RDMSR */
    if (frame->vector == VECTOR_VC) {
        ghcb_begin(); /* WBINVD */
        print_value("wbinvd refused", ghcb_exit(frame->error, 0, 0));
        frame->rip += 2;
    }
}

static void cpuid(u32 leaf, u32 subleaf, u32 *out)
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "0"(leaf), "2"(subleaf));
}

static void show_cpuid(void)
{
    u32 out[4], again[4];
    char vendor[13] = {0};
    cpuid(0, 0, out);
    memcpy(vendor, out + 1, 4);
    memcpy(vendor + 4, out + 3, 4);
    memcpy(vendor + 8, out + 2, 4);
    print_string(vendor);
    print_character('\n');
    cpuid(0x8000001f, 0, out);
    print_value("SEV and SEV-ES", out[0] & 0xa);
    u64 answer = msr_protocol(4 | 1ul << 30 | 0x8000001ful << 32); /* EBX of the same leaf */
    print_value("both ways the same", answer >> 32 == out[1]);
    print_value("CPUID answer", answer & 0xfff);
    cpuid(0xd, 0, out);
    cpuid(0xd, 0, again);
    print_value("leaf d steady", !memcmp(out, again, sizeof out));
}

static void show_ports(void)
{
    u64 value = 0x1122334455667788;
    __asm__ volatile("inb %%dx, %%al" : "+a"(value) : "d"(0x3fd));
    print_value("in byte", value);
    value = 0x1122334455667788;
    __asm__ volatile("inl %%dx, %%eax" : "+a"(value) : "d"(0x5555));
    print_value("in long", value);
    __asm__ volatile("outl %0, %1" : : "a"(0x12345678), "d"((u16)0x5555));
}

static void show_string_output(void)
{
    static const char text[] = "one exit for a whole line\n";
    u64 count = sizeof text - 1;
    ghcb_begin();
    memcpy((void *)(ghcb_address() + GHCB_BUFFER), text, count);
    ghcb_set(GHCB_SCRATCH, ghcb_address() + GHCB_BUFFER);
    if (ghcb_exit(0x7b, 0x3f8ul << 16 | 0xe00 | 0x10 | 8 | 4, count))
        print_string("string refused\n");
}

static void show_registers(void)
{
    print_value("versions", msr_protocol(2) >> 32 != 0);
    print_value("features", msr_protocol(0x80) & 0xfff);
    print_value("sev status", read_msr(0xc0010131) & 3);
    print_value("GHCB MSR kept", read_msr(MSR_GHCB) == ghcb_address());
    read_msr(0x4b564dff);
    u32 first, second, high;
    __asm__ volatile("rdtsc" : "=a"(first), "=d"(high));
    __asm__ volatile("rdtsc" : "=a"(second), "=d"(high));
    print_value("time goes on", second - first < 1u << 31 && second != first);
}

static void show_mmio(void)
{
    for (const char *at = "through MMIO\n"; *at; at++)
        __asm__ volatile("movb %%al, (%%rdi)" : : "a"(*at), "D"(SERIAL) : "memory");
}

static void show_malformed(void)
{
    /* Printing uses the page too: the reason is read first. */
    ghcb_begin();
    u64 answer = ghcb_exit(0x1234, 0, 0), reason = ghcb_get(GHCB_INFO2);
    print_value("unknown event", answer);
    print_value("reason", reason);
    ghcb_begin();
    ghcb_set(GHCB_RAX, 0);
    answer = ghcb_exit(0x72, 0, 0), reason = ghcb_get(GHCB_INFO2);
    print_value("CPUID without RCX", answer);
    print_value("reason", reason);
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    load_tables();
    show_cpuid();
    show_ports();
    show_string_output();
    show_registers();
    __asm__ volatile("wbinvd" : : : "memory");
    show_mmio();
    show_malformed();
}
