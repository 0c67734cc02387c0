/* A stack machine that runs programs: an interpreter inside the emulated CPU. */
#include "guest.h"

enum opcode { PUSH, LOAD, STORE, ADD, SUBTRACT, MULTIPLY, MODULO, LESS, EQUAL, JUMP, JUMP_IF_ZERO,
              CALL, RETURN, PRINT, DUPLICATE, DROP, FETCH, PUT, HALT };

struct instruction {
    u8 opcode;
    i32 operand;
};

struct machine {
    i64 stack[64], variables[16], memory[200];
    i32 returns[32];
    u32 depth, calls;
    u64 executed;
};

static void run(struct machine *m, const struct instruction *program)
{
    for (i32 pc = 0;; m->executed++) {
        struct instruction now = program[pc++];
        i64 *top = &m->stack[m->depth - 1];
        switch ((enum opcode)now.opcode) {
        case PUSH: m->stack[m->depth++] = now.operand; break;
        case LOAD: m->stack[m->depth++] = m->variables[now.operand]; break;
        case STORE: m->variables[now.operand] = *top, m->depth--; break;
        case ADD: top[-1] += *top, m->depth--; break;
        case SUBTRACT: top[-1] -= *top, m->depth--; break;
        case MULTIPLY: top[-1] *= *top, m->depth--; break;
        case MODULO: top[-1] %= *top, m->depth--; break;
        case LESS: top[-1] = top[-1] < *top, m->depth--; break;
        case EQUAL: top[-1] = top[-1] == *top, m->depth--; break;
        case JUMP: pc = now.operand; break;
        case JUMP_IF_ZERO: pc = *top ? pc : now.operand, m->depth--; break;
        case CALL: m->returns[m->calls++] = pc, pc = now.operand; break;
        case RETURN: pc = m->returns[--m->calls]; break;
        case PRINT: print_decimal(*top), print_character('\n'), m->depth--; break;
        case DUPLICATE: m->stack[m->depth++] = *top; break;
        case DROP: m->depth--; break;
        case FETCH: *top = m->memory[*top % 200]; break;
        case PUT: m->memory[*top % 200] = top[-1], m->depth -= 2; break;
        case HALT: return;
        }
    }
}

/* The greatest common divisor of 1071 and 462 by a called routine; then 2^20 by doubling. */
static const struct instruction arithmetic[] = {
    {PUSH, 1071}, {STORE, 0}, {PUSH, 462}, {STORE, 1}, {CALL, 18}, {LOAD, 0}, {PRINT, 0},
    {PUSH, 1}, {STORE, 2}, {PUSH, 20}, {STORE, 3},
    /* 11 */ {LOAD, 2}, {DUPLICATE, 0}, {ADD, 0}, {STORE, 2}, {CALL, 27}, {JUMP_IF_ZERO, 32},
    {JUMP, 11},
    /* 18: gcd */ {LOAD, 1}, {JUMP_IF_ZERO, 26}, {LOAD, 0}, {LOAD, 1}, {MODULO, 0}, {LOAD, 1},
    {STORE, 0}, {JUMP, 34},
    /* 26 */ {RETURN, 0},
    /* 27: count down, leaves the counter */ {LOAD, 3}, {PUSH, 1}, {SUBTRACT, 0}, {DUPLICATE, 0},
    {JUMP, 36},
    /* 32 */ {LOAD, 2}, {JUMP, 38},
    /* 34 */ {STORE, 1}, {JUMP, 18},
    /* 36 */ {STORE, 3}, {RETURN, 0},
    /* 38 */ {PRINT, 0}, {HALT, 0},
};

/* Counts the primes below 200 by a sieve in the machine's memory. */
static const struct instruction sieve[] = {
    {PUSH, 2}, {STORE, 0},
    /* 2: next candidate */ {LOAD, 0}, {PUSH, 200}, {LESS, 0}, {JUMP_IF_ZERO, 32},
    {LOAD, 0}, {FETCH, 0}, {PUSH, 0}, {EQUAL, 0}, {JUMP_IF_ZERO, 27},
    {LOAD, 1}, {PUSH, 1}, {ADD, 0}, {STORE, 1}, {LOAD, 0}, {STORE, 2},
    /* 17: strike out */ {LOAD, 2}, {PUSH, 200}, {LESS, 0}, {JUMP_IF_ZERO, 27},
    {PUSH, 1}, {LOAD, 2}, {PUT, 0}, {LOAD, 2}, {LOAD, 0}, {JUMP, 35},
    /* 27 */ {LOAD, 0}, {PUSH, 1}, {ADD, 0}, {STORE, 0}, {JUMP, 2},
    /* 32 */ {LOAD, 1}, {PRINT, 0}, {HALT, 0},
    /* 35 */ {ADD, 0}, {STORE, 2}, {JUMP, 17},
};

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    static struct machine machines[2];
    run(&machines[0], arithmetic);
    run(&machines[1], sieve);
    print_value("executed", machines[0].executed + machines[1].executed);
    print_value("memory", digest(machines[1].memory, sizeof machines[1].memory));
}
