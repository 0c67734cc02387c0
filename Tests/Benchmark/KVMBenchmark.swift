import Foundation
import VCPUControl

/// Steps of the machine kvm with registers, beside the least that KVM needs for them.
///
/// Both step through the guest `spin` in the same run; `kvm.c` is the loop in C.
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
        var row = Row("step on KVM, registers")
        for _ in 0..<rounds { row.add(try own(), anchor: try loop()) }
        print(row.text(beside: "C loop", digits: 3))
    }

    /// Steps a second through the seam, with all registers read after each.
    private func own() throws -> Double {
        var options = LaunchOptions(arguments: [.value(Self.steps)])
        options.cBit = try KVMMachine.cBit()
        let machine = try KVMMachine(try LaunchPlan(GuestImage.load("spin"), options))
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
