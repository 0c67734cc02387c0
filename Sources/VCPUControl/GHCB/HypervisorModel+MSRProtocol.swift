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
        case .apResetHoldRequest where lacksVersion2, .hvFeaturesRequest where lacksVersion2:
            return unanswered(request)
        case .cpuidRequest(let function, _)
        where function == 0xd && behaviour.specifies(.msrCPUIDLeaf):
            return unanswered(request)
        case .sevInfoRequest: return answer(request, value: resetMSR)
        case .cpuidRequest(let function, let register):
            return cpuidAnswer(request, function, register)
        case .apResetHoldRequest:
            open[request.vcpu] = .msrHold(request)
            return .apResetHold
        case .hvFeaturesRequest: return answer(request, .hvFeaturesResponse(features))
        case .preferredGPARequest, .registerGPARequest, .pscRequest:
            return behaviour.specifies(.snpMSRRequests) ? unanswered(request) : refuse(request)
        case .terminationRequest(let reason):
            return end(request, .requested(set: reason.set, code: reason.code))
        // VMPL requests, answers that the guest left there, OpenVMM's own and unknown ones.
        default: return unanswered(request)
        }
    }

    /// Whether the VM has no request of version 2; KVM answers them in every VM.
    private var lacksVersion2: Bool { behaviour.specifies(.version2Events) && ghcbVersion < 2 }

    /// What the VM can use; KVM names those of SEV-SNP to every guest.
    var features: HypervisorFeatures {
        behaviour.specifies(.hvFeatures) ? HypervisorFeatures(rawValue: 0) : .kvm
    }

    /// Leaves the MSR as it is.
    private func unanswered(_ request: Request) -> Step {
        .resume(Exchange(request, .msr(response: request.msr), .unanswered))
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
