// KVM's side of the MSR protocol (REFERENCE 2).

extension HypervisorModel {
    func answer(_ request: Request, _ response: GHCBMSR) -> Step {
        answer(request, value: response.rawValue)
    }

    private func answer(_ request: Request, value: UInt64) -> Step {
        .resume(Exchange(request, .msr(response: value), .ok))
    }

    private func end(_ request: Request, _ termination: Termination) -> Step {
        .end(Exchange(request, .msr(response: nil), .terminated(termination)))
    }

    mutating func msrProtocol(_ request: Request) -> Step {
        switch GHCBMSR(rawValue: request.msr) {
        case .sevInfoRequest: return answer(request, value: resetMSR)
        case .cpuidRequest(let function, let register):
            return cpuidAnswer(request, function, register)
        case .apResetHoldRequest:
            open[request.vcpu] = .msrHold(request)
            return .apResetHold
        // For every guest, whatever its version.
        case .hvFeaturesRequest: return answer(request, .hvFeaturesResponse(.kvm))
        case .preferredGPARequest, .registerGPARequest, .pscRequest: return refuse(request)
        case .terminationRequest(let reason):
            return end(request, .requested(set: reason.set, code: reason.code))
        // VMPL requests, answers that the guest left there, OpenVMM's own and unknown ones.
        default:
            return .resume(Exchange(request, .msr(response: request.msr), .unanswered))
        }
    }

    /// CPUID with ECX = 0; KVM replaces the value and the info, and keeps the bits between.
    private func cpuidAnswer(
        _ request: Request, _ function: UInt32, _ register: CPUIDRegister
    ) -> Step {
        let result = cpuid.result(leaf: function, subleaf: 0, vcpu: request.vcpu)
        let kept = request.msr & 0xffff_f000
        let info = UInt64(GHCBMSR.Info.cpuidResponse.rawValue)
        return answer(request, value: UInt64(result[register]) << 32 | kept | info)
    }

    /// KVM ends an SEV-ES VM for what belongs to SEV-SNP: `KVM_SYSTEM_EVENT_SEV_TERM`.
    private func refuse(_ request: Request) -> Step {
        let msr = GHCBMSR(rawValue: request.msr)
        return end(
            request,
            .refused(
                "KVM ends an SEV-ES VM that makes MSR request \(msr.info.hex) (\(msr.name)):"
                    + " it belongs to SEV-SNP"))
    }

    func endHold(_ request: Request, sipi: Bool) -> Step {
        answer(request, .apResetHoldResponse(result: sipi ? 1 : 0))
    }
}
