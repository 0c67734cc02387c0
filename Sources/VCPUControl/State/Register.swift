/// A general-purpose register, the instruction pointer or the flags, in the encoding order of x86.
///
/// Raw values 0…15 are the register numbers of ModRM and REX; APM volume 3, section 1.2.
package enum Register: UInt8, CaseIterable, Sendable, Hashable {
    case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi
    case r8, r9, r10, r11, r12, r13, r14, r15
    case rip, rflags

    /// The name a debugger user types, without the `$`.
    package var name: String { "\(self)" }

    /// The registers that `vcpu_args_set` of the KVM selftests fills, in argument order.
    package static let arguments: [Register] = [.rdi, .rsi, .rdx, .rcx, .r8, .r9]
}
