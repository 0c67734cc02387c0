/* Scalar and packed floating point in SSE2: sums, roots, conversions, comparisons, NaN. */
#include "guest.h"
#include <stdarg.h>

static u64 bits_of(double value)
{
    u64 bits;
    __builtin_memcpy(&bits, &value, 8);
    return bits;
}

static u32 bits_of_float(float value)
{
    u32 bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits;
}

static void mandelbrot(void)
{
    for (int row = -5; row <= 5; row++) {
        for (int column = -22; column <= 8; column++) {
            double cr = column / 10.0, ci = row / 4.0, r = 0, i = 0;
            int turn = 0;
            for (; turn < 20 && r * r + i * i < 4; turn++) {
                double next = r * r - i * i + cr;
                i = 2 * r * i + ci;
                r = next;
            }
            print_character(turn == 20 ? '#' : turn > 6 ? '+' : turn > 3 ? '.' : ' ');
        }
        print_character('\n');
    }
}

static double root(double value)
{
    double result;
    __asm__("sqrtsd %1, %0" : "=x"(result) : "x"(value));
    return result;
}

struct body {
    double at[3], speed[3], mass;
};

static u64 bodies(int steps)
{
    struct body b[3] = {
        {{0, 0, 0}, {0, 0, 0}, 39.5},
        {{4.84, -1.16, -0.10}, {0.6, 2.8, -0.02}, 0.0377},
        {{8.34, 4.12, -0.4}, {-1.01, 1.8, 0.008}, 0.0113},
    };
    while (steps--) {
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                double apart[3], square = 0;
                if (i == j)
                    continue;
                for (int k = 0; k < 3; k++) {
                    apart[k] = b[j].at[k] - b[i].at[k];
                    square += apart[k] * apart[k];
                }
                double pull = 0.01 * b[j].mass / (square * root(square));
                for (int k = 0; k < 3; k++)
                    b[i].speed[k] += apart[k] * pull;
            }
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 3; k++)
                b[i].at[k] += 0.01 * b[i].speed[k];
    }
    return digest(b, sizeof b);
}

static NOINLINE u64 conversions(double value, i64 number)
{
    u64 sum = (u64)(i64)value;
    sum = sum * 3 + (u64)(i32)(value / 7);
    sum = sum * 3 + bits_of((double)number);
    sum = sum * 3 + bits_of((double)(u64)number);
    sum = sum * 3 + bits_of((double)(i32)number);
    sum = sum * 3 + bits_of_float((float)number);
    sum = sum * 3 + bits_of_float((float)value);
    sum = sum * 3 + bits_of((double)(float)value);
    sum = sum * 3 + (u64)(u8)(i8)(i32)(float)(number & 127);
    return sum * 3 + (u64)(u32)(value > 0 ? value / 1000 : 0);
}

static NOINLINE u32 comparisons(double left, double right)
{
    return (u32)(left < right) | (u32)(left <= right) << 1 | (u32)(left == right) << 2
        | (u32)(left != right) << 3 | (u32)(left >= right) << 4 | (u32)!(left > right) << 5
        | (u32)__builtin_isunordered(left, right) << 6;
}

static float floats[50], other_floats[50];
static double doubles[50];

static NOINLINE u64 packed(void)
{
    for (int i = 0; i < 50; i++) {
        floats[i] = (float)(i * i) / 7;
        other_floats[i] = (float)(50 - i) * 0.3f;
        doubles[i] = i * 0.1 - 2;
    }
    for (int i = 0; i < 50; i++)
        floats[i] = floats[i] * other_floats[i] - floats[i] / (other_floats[i] + 1);
    for (int i = 0; i < 50; i++)
        doubles[i] = doubles[i] > 0 ? doubles[i] * doubles[i] : -doubles[i];
    for (int i = 0; i < 50; i++)
        other_floats[i] = (float)(doubles[i] + (double)floats[i]);
    u64 rounded = 0;
    for (int i = 0; i < 50; i++)
        rounded += (u64)(u32)(i32)floats[i];
    return rounded ^ digest(floats, sizeof floats) ^ digest(doubles, sizeof doubles)
        ^ digest(other_floats, sizeof other_floats);
}

static NOINLINE double sum_of(int count, ...)
{
    va_list list;
    double sum = 0;
    va_start(list, count);
    for (int i = 0; i < count; i++)
        sum = sum * 2 + va_arg(list, double) - (double)va_arg(list, int);
    va_end(list);
    return sum;
}

static double exponential(double x)
{
    double term = 1, sum = 1;
    for (int i = 1; i < 30; i++) {
        term *= x / i;
        sum += term;
    }
    return sum;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    mandelbrot();
    print_value("bodies", bodies(40));
    print_value("e", bits_of(exponential(1)));
    print_value("e to -3.5", bits_of(exponential(-3.5)));
    print_value("root of 2", bits_of(root(2)));
    u64 seed = 61, sum = 0;
    for (int i = 0; i < 60; i++) {
        i64 number = (i64)next_random(&seed) >> i;
        sum = sum * 5 + conversions((double)(number >> 20) / 3, number);
    }
    print_value("conversions", sum);
    double zero = 0, nan = __builtin_nan(""), infinity = __builtin_inf();
    double values[] = {1, -1, zero, -zero, nan, infinity, -infinity, 5e-324, 1.7e308};
    sum = 0;
    for (u32 i = 0; i < COUNT(values); i++)
        for (u32 j = 0; j < COUNT(values); j++)
            sum = sum * 131 + comparisons(values[i], values[j]);
    print_value("comparisons", sum);
    print_value("packed", packed());
    print_value("arguments", bits_of(sum_of(6, 1.5, 2, 2.5, 3, -3.25, 4, 1e10, 5, 1e-3, 6, 7.0, 8)));
}
