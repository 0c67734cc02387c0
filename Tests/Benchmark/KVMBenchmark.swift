import Foundation
import VCPUControl

/// The machine kvm beside the least that KVM needs for a step, and beside gdb on QEMU.
///
/// All but gdb go through the guest `spin` in the same run; `kvm.c` is the loop in C.
struct KVMBenchmark {
    /// The helper that was made from `kvm.c`.
    var helper: String

    private static let steps: UInt64 = 100_000

    /// Prints a line like those of the emulator, or why there is none.
    func report(rounds: Int) throws {
        do throws(MachineError) {
            _ = try KVMMachine.cBit()
        } catch {
            print("step on KVM: left out, \(error.message)")
            return
        }
        var (row, run) = (Row("step on KVM, registers"), Row("run on KVM"))
        for _ in 0..<rounds {
            let loop = try loop()
            row.add(try own(), anchor: loop)
            run.add(try freeRun(), anchor: loop)
        }
        print(row.text(beside: "C loop", digits: 3))
        print(run.text(beside: "C loop", digits: 3))
        try reportThreads(rounds)
        reportQEMU(row.own)
    }

    /// Prints how fast two vCPUs are at the same time, beside in turns.
    private func reportThreads(_ rounds: Int) throws {
        var row = Row("2 vCPUs on KVM, threads")
        for _ in 0..<rounds {
            let turns = try freeRun(vcpus: 2, .turns)
            row.add(try freeRun(vcpus: 2, .threads), anchor: turns)
        }
        print(row.text(beside: "in turns", digits: 3))
    }

    /// Prints the same steps beside gdb's on QEMU, or why that cannot be.
    private func reportQEMU(_ own: [Double]) {
        do {
            for form in QEMUBenchmark.Form.allCases {
                var row = Row("step on KVM, registers")
                for rate in own { row.add(rate * 1e6, anchor: try QEMUBenchmark().measure(form)) }
                print(row.text(beside: "gdb \(form.rawValue), QEMU", digits: 4))
            }
        } catch { print("steps of gdb on QEMU with KVM: not measured, \(error)") }
    }

    /// Instructions a second where nobody looks at them.
    private func freeRun(
        vcpus: Int = 1, _ schedule: VCPUSchedule = .turns
    ) throws -> Double {
        let machine = try machine(vcpus: vcpus, schedule)
        func executed() -> UInt64 { (0..<vcpus).reduce(0) { $0 + machine.instructions(of: $1) } }
        return try Benchmark.rate {
            while executed() < Self.steps {
                guard case .limit = try machine.run(.all, limit: Self.steps - executed()).exit
                else {
                    throw Failure(text: "spin is too short for \(Self.steps) instructions")
                }
            }
            return Self.steps
        }
    }

    private func machine(
        vcpus: Int = 1, _ schedule: VCPUSchedule = .turns
    ) throws -> KVMMachine {
        var options = LaunchOptions(arguments: [.value(Self.steps)])
        options.cBit = try KVMMachine.cBit()
        options.vcpus = vcpus
        return try KVMMachine(
            try LaunchPlan(GuestImage.load("spin"), options), schedule: schedule)
    }

    /// Steps a second through the seam, with all registers read after each.
    private func own() throws -> Double {
        let machine = try machine()
        var sum: UInt64 = 0
        let rate = try Benchmark.rate {
            for _ in 0..<Self.steps {
                guard case .limit = try machine.run(.one(0), limit: 1).exit,
                    case .known(let registers, _) = machine.registers(of: 0)
                else { throw Failure(text: "spin is too short for \(Self.steps) steps") }
                sum &+= registers[.rip]
            }
            return Self.steps
        }
        guard sum != 0, machine.stepsOfKVM > Self.steps / 10 * 9 else {
            throw Failure(text: "KVM has executed \(machine.stepsOfKVM) steps only")
        }
        return rate
    }

    private func loop() throws -> Double {
        let numbers = try withSpin { file in
            try output(of: helper, [file, String(Self.steps)])
                .split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        }
        guard numbers.count == 2 else { throw Failure(text: "\(helper) printed nothing of use") }
        return numbers[0] / numbers[1]
    }
}
