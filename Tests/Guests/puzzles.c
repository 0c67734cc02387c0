/* Searches and simulations with known answers: sieve, queens, life, Mandelbrot in fixed point. */
#include "guest.h"

static u32 sieve(u32 limit)
{
    static u8 struck[4000];
    u32 count = 0;
    for (u32 i = 2; i < limit; i++) {
        if (struck[i])
            continue;
        count++;
        for (u32 j = i * i; j < limit; j += i)
            struck[j] = 1;
    }
    return count;
}

static u32 queens(u32 all, u32 columns, u32 left, u32 right)
{
    if (columns == all)
        return 1;
    u32 solutions = 0;
    for (u32 free = all & ~(columns | left | right); free;) {
        u32 place = free & -free;
        free ^= place;
        solutions += queens(all, columns | place, (left | place) << 1, (right | place) >> 1);
    }
    return solutions;
}

static void mandelbrot(void)
{
    for (i32 row = -6; row <= 6; row++) {
        for (i32 column = -22; column <= 10; column++) {
            i64 cr = column * 4096 / 10, ci = row * 4096 / 5, r = 0, i = 0;
            u32 turn = 0;
            for (; turn < 24 && r * r + i * i < 4 << 24; turn++) {
                i64 next = ((r * r - i * i) >> 12) + cr;
                i = (2 * r * i >> 12) + ci;
                r = next;
            }
            print_character(" .:-=+*#%@"[turn * 9 / 24]);
        }
        print_character('\n');
    }
}

static u64 longest_collatz(u32 limit)
{
    u64 best = 0;
    for (u32 start = 1; start < limit; start++) {
        u64 number = start, steps = 0;
        for (; number != 1; steps++)
            number = number & 1 ? 3 * number + 1 : number / 2;
        if (steps > best >> 32)
            best = steps << 32 | start;
    }
    return best;
}

/* Conway's life on a torus of 64 columns, a row to a word. */
static u64 life(u32 generations)
{
    u64 rows[16] = {[3] = 0x70, [4] = 0x10, [5] = 0x20, [9] = 0x7000000, [12] = 7ul << 62 | 1};
    while (generations--) {
        u64 next[16];
        for (u32 y = 0; y < 16; y++) {
            u64 one = 0, two = 0, four = 0;
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++) {
                    u64 row = rows[(y + (u32)dy) & 15];
                    if (!dx && !dy)
                        continue;
                    u64 near = dx < 0 ? row << 1 | row >> 63 : dx > 0 ? row >> 1 | row << 63 : row;
                    u64 carry = one & near;
                    one ^= near;
                    u64 more = two & carry;
                    two ^= carry;
                    four |= more;
                }
            next[y] = two & ~four & (one | rows[y]);
        }
        memcpy(rows, next, sizeof rows);
    }
    return digest(rows, sizeof rows);
}

/* The number of ways to change an amount, and the longest common part of two texts. */
static u64 change(u32 amount)
{
    static const u32 coins[] = {1, 2, 5, 10, 20, 50, 100, 200};
    u64 ways[201] = {1};
    for (u32 c = 0; c < COUNT(coins); c++)
        for (u32 i = coins[c]; i <= amount; i++)
            ways[i] += ways[i - coins[c]];
    return ways[amount];
}

static u32 common(const char *left, const char *right)
{
    u8 table[40][40] = {{0}};
    u32 rows = (u32)strlen(left), columns = (u32)strlen(right);
    for (u32 i = 1; i <= rows; i++)
        for (u32 j = 1; j <= columns; j++) {
            u8 up = table[i - 1][j], back = table[i][j - 1];
            table[i][j] = left[i - 1] == right[j - 1] ? table[i - 1][j - 1] + 1
                : up > back                            ? up
                                                       : back;
        }
    return table[rows][columns];
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    print_value("primes below 4000", sieve(4000));
    print_value("six queens", queens(63, 0, 0, 0));
    print_value("seven queens", queens(127, 0, 0, 0));
    print_value("collatz", longest_collatz(300));
    print_value("life", life(40));
    print_value("change", change(200));
    print_value("common", common("the hypervisor reads what is", "a hypocrite's red hat was his"));
    mandelbrot();
}
