/* Shared memory: the section `.shared`, a page seen with and without the C-bit, and the ucall of
 * the kernel's selftests, whose structure the host must be able to read. */
#include "system.h"

enum { UCALL_PRINTF = 3 };

/* tools/testing/selftests/kvm/include/ucall_common.h */
struct ucall {
    u64 command, arguments[7];
    char buffer[1024];
    struct ucall *host;
};

static struct {
    struct ucall ucall;
    char text[64];
    u8 rest[4096 - sizeof(struct ucall) - 64];
} shared __attribute__((section(".shared"), aligned(4096))) = {.text = "put here by the compiler"};

static u8 private_page[4096] __attribute__((aligned(4096)));

#define WINDOW 0x8000000000ul

void on_exception(struct frame *frame) { print_value("unexpected vector", frame->vector); }

static void string_out(u16 port, const void *bytes, u64 count)
{
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}

static void call_host(const char *text)
{
    struct ucall *pointer = &shared.ucall;
    shared.ucall.command = UCALL_PRINTF;
    memcpy(shared.ucall.buffer, text, strlen(text) + 1);
    string_out(0x1000, &pointer, 8);
}

static u64 *look_at(void *page, u64 c_bit)
{
    *page_entry(WINDOW) = (u64)page | c_bit | WRITABLE | PRESENT;
    forget_page(WINDOW);
    return (u64 *)WINDOW;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    print_string(shared.text);
    print_character('\n');
    static const char line[] = "a string from private memory\n";
    string_out(0x3f8, line, sizeof line - 1);
    memcpy(shared.text, "written by the guest\n", 22);
    string_out(0x3f8, shared.text, 21);
    call_host("a ucall\n");

    *(volatile u64 *)private_page = 0x5ec3e7;
    print_value("private as private", *(volatile u64 *)look_at(private_page, private_bit()));
    u64 scrambled = *(volatile u64 *)look_at(private_page, 0);
    print_value("private as shared the same", scrambled == 0x5ec3e7);
    print_value("private again", *(volatile u64 *)private_page);
    *(volatile u64 *)look_at(private_page, 0) = 0x5ec3e7;
    print_value("plain text as private the same", *(volatile u64 *)private_page == 0x5ec3e7);
    *(volatile u64 *)look_at(private_page, 0) = scrambled;
    print_value("cipher text put back", *(volatile u64 *)private_page);
    *(volatile u64 *)shared.rest = 77;
    u64 *window = look_at(&shared, private_bit());
    u64 offset = (u64)shared.rest - (u64)&shared;
    print_value("shared as private the same", *(volatile u64 *)((u64)window + offset) == 77);
    print_value("shared as shared", *(volatile u64 *)((u64)look_at(&shared, 0) + offset));
}
