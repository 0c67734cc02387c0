/// An exception that an emulated instruction raises instead of completing.
///
/// When an instruction throws a fault, no architectural state of it has changed (REP: but for finished iterations).
struct Fault: Error, Equatable {
    var vector: UInt8
    /// Pushed by delivery where the vector has one.
    var errorCode: UInt64?
    /// CR2, for #PF.
    var address: UInt64 = 0
    /// Traps (#BP, #DB after a step) are delivered with RIP behind the instruction; set by who raises them.
    var isTrap = false

    static let divide = Fault(vector: 0, errorCode: nil)
    static let invalidOpcode = Fault(vector: 6, errorCode: nil)
    static let deviceNotAvailable = Fault(vector: 7, errorCode: nil)
    static let x87FloatingPoint = Fault(vector: 16, errorCode: nil)
    static let simdFloatingPoint = Fault(vector: 19, errorCode: nil)
    /// No exception of a processor: the emulator does not know what the instruction does here.
    ///
    /// It is never delivered; the run ends as `.unimplemented`, with RIP on the instruction.
    static let unimplemented = Fault(vector: 0xff, errorCode: nil)

    static func generalProtection(_ code: UInt64 = 0) -> Fault {
        Fault(vector: 13, errorCode: code)
    }
    static func stack(_ code: UInt64 = 0) -> Fault { Fault(vector: 12, errorCode: code) }
    static func notPresent(_ code: UInt64) -> Fault { Fault(vector: 11, errorCode: code) }
    static func pageFault(_ address: UInt64, _ code: UInt64) -> Fault {
        Fault(vector: 14, errorCode: code, address: address)
    }

    /// #VC: what SEV-ES makes of an intercepted instruction; its error code is the exit code
    /// (REFERENCE 3e).
    static func vmmCommunication(_ exitCode: UInt64) -> Fault {
        Fault(vector: 29, errorCode: exitCode)
    }
}
