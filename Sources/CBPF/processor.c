#include "CBPF.h"

#include <cpuid.h>

int cbpf_has_svm(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & 1 << 2);
}

int cbpf_c_bit(void)
{
    unsigned eax = 0, ebx = 0, ecx, edx;

    return __get_cpuid(0x8000001f, &eax, &ebx, &ecx, &edx) && (eax & 1 << 1) ? (int)(ebx & 0x3f) : 0;
}
