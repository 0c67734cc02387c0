/* Stacks of one's own: a context switch in assembly, generators on it, and a long jump. */
#include "guest.h"

/* Saves the callee-saved registers on this stack, its pointer at *save, and takes the other. */
void switch_stack(u64 **save, u64 *load);
__asm__(".globl switch_stack\n"
        "switch_stack:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n");

/* 0 when called, the value of the jump when it comes back. */
u64 mark(u64 *place) __attribute__((returns_twice));
void jump_to(u64 *place, u64 value) __attribute__((noreturn));
__asm__(".globl mark, jump_to\n"
        "mark:\n"
        "    mov (%rsp), %rdx\n    lea 8(%rsp), %rcx\n"
        "    mov %rbx, (%rdi)\n    mov %rbp, 8(%rdi)\n    mov %r12, 16(%rdi)\n"
        "    mov %r13, 24(%rdi)\n    mov %r14, 32(%rdi)\n    mov %r15, 40(%rdi)\n"
        "    mov %rcx, 48(%rdi)\n    mov %rdx, 56(%rdi)\n"
        "    xor %eax, %eax\n    ret\n"
        "jump_to:\n"
        "    mov (%rdi), %rbx\n    mov 8(%rdi), %rbp\n    mov 16(%rdi), %r12\n"
        "    mov 24(%rdi), %r13\n    mov 32(%rdi), %r14\n    mov 40(%rdi), %r15\n"
        "    mov 48(%rdi), %rsp\n    mov %rsi, %rax\n    jmp *56(%rdi)\n");

enum { STACK = 512 /* words */ };

struct coroutine {
    u64 *own, *caller, value, done;
    void (*body)(struct coroutine *);
    u64 stack[STACK] __attribute__((aligned(16)));
};

static struct coroutine *starting;

static void start(void)
{
    struct coroutine *self = starting;
    self->body(self);
    self->done = 1;
    switch_stack(&self->own, self->caller);
    __builtin_unreachable();
}

static void create(struct coroutine *c, void (*body)(struct coroutine *), u64 value)
{
    u64 *top = c->stack + STACK;
    *--top = 0; /* keeps rsp 8 below a multiple of 16 at `start` */
    *--top = (u64)start;
    top -= 6;
    memset(top, 0, 6 * sizeof *top);
    *c = (struct coroutine){.own = top, .body = body, .value = value, .stack = {0}};
    c->stack[STACK - 2] = (u64)start;
}

static int resume(struct coroutine *c)
{
    if (c->done)
        return 0;
    starting = c;
    switch_stack(&c->caller, c->own);
    return !c->done;
}

static NOINLINE void yield(struct coroutine *c, u64 value)
{
    c->value = value;
    switch_stack(&c->own, c->caller);
}

static void squares(struct coroutine *self)
{
    for (u64 i = 1, limit = self->value; i <= limit; i++)
        yield(self, i * i);
}

static void walk(struct coroutine *self, u64 low, u64 high)
{
    if (low >= high)
        return;
    u64 middle = (low + high) / 2;
    walk(self, low, middle);
    yield(self, middle * 10);
    walk(self, middle + 1, high);
}

static void tree(struct coroutine *self) { walk(self, 0, self->value); }

static struct coroutine first_one, second_one;
static u64 place[8];

__attribute__((noinline, noreturn)) static void descend(u32 depth)
{
    volatile u64 held[3] = {depth, depth, depth};
    if (depth < 20)
        descend(depth + 1);
    jump_to(place, held[1] + 100);
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    create(&first_one, squares, 6);
    create(&second_one, tree, 9);
    for (int more = 1; more;) {
        more = 0;
        if (resume(&first_one))
            print_value("square", first_one.value), more = 1;
        if (resume(&second_one))
            print_value("tree", second_one.value), more = 1;
    }
    volatile u32 jumps = 0;
    u64 came = mark(place);
    if (came)
        print_value("jumped", came);
    if (jumps++ < 2)
        descend(jumps * 5);
    print_value("jumps", jumps);
}
