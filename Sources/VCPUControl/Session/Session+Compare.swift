// The command `compare`: the guest under two GHCB setups, each in a machine of its own.
extension Session {
    /// Runs the guest under both setups; the user's own stands as it stands.
    func compare(_ setups: [GHCBSetup]) -> SetupComparison {
        let (first, second) = pair(setups)
        let left = column(first)
        let right =
            left.value?.ending == .interrupted
            ? SetupComparison.Column(
                setup: second, run: .failure(CommandFailure("not run: compare was interrupted")))
            : column(second)
        return SetupComparison(
            guest: configuration.image.name, vcpus: options.vcpus, left: left, right: right)
    }

    /// What is compared, where the user names fewer than two: the current setup with its other.
    private func pair(_ setups: [GHCBSetup]) -> (GHCBSetup, GHCBSetup) {
        let current = options.setup
        switch setups.count {
        case 0: return (current, current.counterpart)
        case 1 where setups[0] == current: return (current, current.counterpart)
        case 1: return (current, setups[0])
        default: return (setups[0], setups[1])
        }
    }

    private func column(_ setup: GHCBSetup) -> SetupComparison.Column {
        var options = self.options
        options.setup = setup
        do throws(CommandFailure) {
            try requirePreset(setup)
            do throws(SessionError) {
                var runner = try SetupRunner(configuration, options, comparisonBudget)
                return .init(setup: setup, run: .success(runner.run()))
            } catch { throw CommandFailure(error.message) }
        } catch { return .init(setup: setup, run: .failure(error)) }
    }
}

extension GHCBSetup {
    /// The setup that it is compared with where the user names none.
    fileprivate var counterpart: GHCBSetup {
        switch self {
        case .pool, .host: .trampoline
        case .trampoline: .pool
        }
    }
}
