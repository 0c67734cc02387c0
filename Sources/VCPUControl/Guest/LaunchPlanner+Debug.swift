internal import CKVM

// What a launch prepares for a host that debugs through the stub.
extension LaunchPlanner {
    /// The stub's gates: #VC always, and where the host debugs through it, what stops a vCPU.
    var gates: [LaunchDescriptors.Gate] {
        let handled = LaunchDescriptors.Gate(
            vector: 29, handler: stubAddress("sevdbg_vc_handler"), stack: 1)
        guard options.hasDebugStub else { return [handled] }
        return [
            .init(vector: 1, handler: stubAddress("sevdbg_db_handler"), stack: 1),
            .init(vector: 2, handler: stubAddress("sevdbg_nmi_handler"), stack: 2),
            .init(vector: 3, handler: stubAddress("sevdbg_bp_handler"), stack: 1), handled,
        ]
    }

    /// The gates of a vCPU that stands still in the stub: NMI, and the faults of a command on memory.
    var stopGates: [LaunchDescriptors.Gate] {
        let fault = stubAddress("sevdbg_debug_fault")
        let faults = [12, 13, 14, 29].map {
            LaunchDescriptors.Gate(vector: $0, handler: fault, stack: 0)
        }
        return [.init(vector: 2, handler: stubAddress("sevdbg_debug_nmi"), stack: 0)] + faults
    }

    /// Where the host finds the debug stub, and what it has to know of it.
    var debugStub: DebugStub {
        DebugStub(
            handlers: stubAddress("sevdbg_vc_handler")..<layout.stub.upperBound,
            vmgexit: .init(stubAddress("sevdbg_debug_vmgexit")), tables: layout.tables,
            idtLoads: idtLoads)
    }

    /// Where the guest's code may load an IDT of its own: the bytes of LIDT, whatever they are.
    private var idtLoads: [GuestVirtualAddress] {
        image.segments.flatMap { segment in
            LoadIDT.places(in: segment.bytes).map {
                GuestVirtualAddress(segment.address.rawValue &+ UInt64($0))
            }
        }
    }
}
