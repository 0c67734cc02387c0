import CKVM
import SystemPackage
import Testing

@testable import VCPUControl

@Suite("KVM: calls that a signal ends")
struct InterruptedCallTests {
    @Test("they are made again, but not for ever")
    func again() throws {
        let few = InterruptedSyscalls(3)
        _ = try SystemFD(few)
        #expect(few.left == 0)
        let error = #expect(throws: KVMError.self) { _ = try SystemFD(InterruptedSyscalls(.max)) }
        #expect(error == .failed(call: "KVM_GET_API_VERSION", on: "/dev/kvm", .interrupted))
    }
}

/// A KVM whose first ioctls fail with EINTR.
private final class InterruptedSyscalls: KVMSyscalls {
    private(set) var left: Int

    init(_ count: Int) { left = count }

    func open(_ path: String) throws(Errno) -> Int32 { 100 }
    func close(_ descriptor: Int32) {}

    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        guard left == 0 else {
            left -= 1
            throw .interrupted
        }
        return SystemFD.apiVersion
    }

    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer {
        throw .noMemory
    }

    func unmap(_ start: UnsafeMutableRawPointer, count: Int) {}
}
