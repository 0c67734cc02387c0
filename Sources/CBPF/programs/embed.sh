#!/bin/sh
# Compiles a BPF program, and writes a Swift file that holds the object or the reason why there is none.
#   embed.sh CLANG SOURCE OUTPUT
clang=$1 source=$2 output=$3
name=$(basename "$source" .bpf.c)
object=$(dirname "$output")/$name.o
reason=
if ! errors=$("$clang" -target bpf -mcpu=v3 -g -O2 -Wall -Wextra -Werror \
    -I "$(dirname "$source")/../include" -I "/usr/include/$(uname -m)-linux-gnu" \
    -c "$source" -o "$object" 2>&1); then
    : > "$object"
    reason=$(printf '%s\n' "$errors" | grep -m 1 -E 'error|not found' | tr -d '"\\')
    reason=${reason:-$clang fails}
    echo "warning: a build without the BPF program $name: $reason" >&2
fi
# BTF stays; the DWARF that it was made from is four fifths of the object.
"$(dirname "$clang")/llvm-objcopy" --strip-debug "$object" 2>/dev/null

cat > "$output" <<END
extension BPFProgram {
    static let $name = BPFProgram(
        name: "$name", reason: "$reason",
        hexadecimal: "$(od -An -v -tx1 "$object" | tr -d ' \n')")
}
END
