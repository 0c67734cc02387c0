internal import CKVM
internal import Glibc
internal import SystemPackage

/// The system calls by which KVM is used: whatever reaches it passes through here.
///
/// A test records them and lets each fail; something else than Linux can answer them, `kvm_run`
/// included, which is no more than the memory that `map` returns.
///
/// Unsafe: arguments of ioctls and mappings are plain pointers.
protocol KVMSyscalls: AnyObject {
    /// Opens a device for reading and writing; the corresponding call is `open`.
    func open(_ path: String) throws(Errno) -> Int32
    func close(_ descriptor: Int32)
    /// Makes one ioctl; what it returns is as the ioctl defines it.
    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32
    /// Maps what a descriptor shares, from its start, or zeroed memory where it is
    /// `anonymousMemory`; the corresponding call is `mmap`.
    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer
    func unmap(_ start: UnsafeMutableRawPointer, count: Int)
}

/// What stands for a descriptor where memory is wanted that belongs to none.
let anonymousMemory: Int32 = -1

/// The system calls of Linux.
final class LinuxSyscalls: KVMSyscalls {
    func open(_ path: String) throws(Errno) -> Int32 {
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        return descriptor
    }

    func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        let result = unsafe ckvm_ioctl(descriptor, call)
        guard result >= 0 else { throw Errno(rawValue: -result) }
        return result
    }

    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer {
        let protection = PROT_READ | PROT_WRITE
        let flags =
            descriptor == anonymousMemory
            ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED
        guard let start = unsafe mmap(nil, count, protection, flags, descriptor, 0),
            unsafe start != MAP_FAILED
        else { throw Errno(rawValue: errno) }
        return unsafe start
    }

    func unmap(_ start: UnsafeMutableRawPointer, count: Int) { unsafe munmap(start, count) }
}
