internal import CKVM
internal import Glibc

/// A descriptor of a process, readable when it has ended; pidfd_open(2).
struct ProcessDescriptor: ~Copyable {
    private let number: Int32

    /// - Returns: `nil` where there is no such process.
    init?(_ process: Int32) {
        number = ckvm_pidfd_open(process)
        if number < 0 { return nil }
    }

    deinit { if number >= 0 { _ = close(number) } }

    /// Waits for the end of the process, or for the other descriptor to become readable.
    ///
    /// - Returns: whether the process has ended.
    func wait(or other: Int32, milliseconds: Int32) -> Bool {
        ckvm_poll(number, other, milliseconds) & 1 != 0
    }

    /// Maps the `kvm_run` of one of its vCPUs; pidfd_getfd(2).
    ///
    /// - Returns: `nil` without the permission to trace the process.
    func runPage(of vcpu: Int32, size: Int, isWritable: Bool) -> ForeignRunPage? {
        let duplicate = ckvm_pidfd_getfd(number, vcpu)
        guard duplicate >= 0 else { return nil }
        defer { _ = close(duplicate) }
        return ForeignRunPage(duplicate, size: size, isWritable: isWritable)
    }
}
