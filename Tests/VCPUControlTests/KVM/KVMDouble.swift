import CKVM
import Glibc
import SystemPackage

@testable import VCPUControl

/// Stands in for the kernel: keeps every ioctl with its bytes, answers as it is told to.
///
/// Unsafe: copies the arguments of ioctls, whose size they bring along.
@safe final class KVMDouble: KVMSyscalls {
    struct Call: Equatable {
        var name: String
        var request: UInt
        var descriptor: Int32
        /// The struct as KVM gets it; empty for a number.
        var bytes: [UInt8]
    }

    static let mappingSize = 12288

    private(set) var calls: [Call] = []
    private(set) var openDescriptors: Set<Int32> = []
    private(set) var mappings = 0
    /// The mapping that was made last.
    private(set) var page: UnsafeMutableRawPointer?
    /// Calls that fail, by name.
    var failures: [String: Errno] = [:]
    /// What `kvm_run` has behind each `KVM_RUN`; `nil`: what a test has put there.
    var exitReason: UInt32?
    /// What KVM puts into a struct, by name.
    var results: [String: [UInt8]] = [:]
    /// What ioctls return, by name; 0 else.
    var values: [String: Int32] = [
        "KVM_GET_API_VERSION": 12, "KVM_GET_VCPU_MMAP_SIZE": Int32(mappingSize),
        "KVM_CREATE_VM": 101, "KVM_CREATE_VCPU": 102,
    ]

    func open(_ path: String) throws(Errno) -> Int32 {
        if let failure = failures["open"] { throw failure }
        openDescriptors.insert(100)
        return 100
    }

    func close(_ descriptor: Int32) { openDescriptors.remove(descriptor) }

    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        let name = unsafe String(cString: call.name)
        let bytes = unsafe UnsafeRawBufferPointer(
            start: call.size > 0 ? UnsafeRawPointer(call.argument) : nil, count: call.size)
        calls.append(
            Call(
                name: name, request: unsafe call.request, descriptor: descriptor,
                bytes: unsafe [UInt8](bytes)))
        if let failure = failures[name] { throw failure }
        if name == "KVM_RUN", let exitReason {
            unsafe page?.assumingMemoryBound(to: kvm_run.self).pointee.exit_reason = exitReason
        }
        if let result = results[name] {
            unsafe call.argument?.copyMemory(from: result, byteCount: min(result.count, call.size))
        }
        let value = values[name] ?? 0
        if name.hasPrefix("KVM_CREATE") { openDescriptors.insert(value) }
        return value
    }

    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer {
        if let failure = failures["mmap"] { throw failure }
        mappings += 1
        let block = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        unsafe page = block
        return unsafe block
    }

    func unmap(_ start: UnsafeMutableRawPointer, count: Int) {
        mappings -= 1
        unsafe page = nil
        unsafe start.deallocate()
    }
}

/// Linux, but every descriptor is a bad one.
final class BadDescriptors: KVMSyscalls {
    private let double = KVMDouble()
    private let linux = LinuxSyscalls()
    /// What ioctls failed with, by name.
    private(set) var failures: [String: Errno] = [:]
    /// Whether ioctls reach Linux.
    var isReal = false

    func open(_ path: String) throws(Errno) -> Int32 { try double.open(path) }
    func close(_ descriptor: Int32) { double.close(descriptor) }

    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        guard isReal else { return unsafe try double.ioctl(descriptor, call) }
        do throws(Errno) {
            return unsafe try linux.ioctl(-1, call)
        } catch {
            failures[unsafe String(cString: call.name)] = error
            throw error
        }
    }

    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer {
        unsafe try double.map(descriptor, count: count)
    }

    func unmap(_ start: UnsafeMutableRawPointer, count: Int) {
        unsafe double.unmap(start, count: count)
    }
}
