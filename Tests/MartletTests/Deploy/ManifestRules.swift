import ArgumentParser
import Foundation
import Yams

@testable import martlet

/// What we ask of a manifest beyond what Kubernetes' schemas do; each rule says what is wrong, or nothing.
enum ManifestRules {
    static func problems(of manifests: [Manifest]) -> [String] {
        manifests.flatMap { manifest in
            let found = secrets(in: manifest) + (manifest.pod == nil ? [] : podProblems(of: manifest))
            return found.map { "\(manifest.file): \(manifest.kind) \(manifest.name): \($0)" }
        }
    }

    private static func podProblems(of manifest: Manifest) -> [String] {
        guard let pod = manifest.pod else { return [] }
        return podSecurity(pod)
            + manifest.containers.flatMap { container in
                security(of: container) + resources(of: container) + commandLine(of: container)
                    + mounts(of: container, in: pod)
            }
            + failures(of: manifest) + shape(of: manifest)
    }

    // MARK: Secrets

    /// No Secret is written down, no connection string has a password, and no variable is filled from one.
    private static func secrets(in manifest: Manifest) -> [String] {
        var problems = manifest.kind == "Secret" ? ["a Secret in a file of the repository"] : []
        for leaf in manifest.node.leaves {
            if leaf.text.contains(/(?i)passw(or)?d\s*=|postgres(ql)?:\/\/[^@\/]*:[^@]*@/) {
                problems.append("a password in \(leaf.path)")
            }
            if leaf.path.contains("secretKeyRef") || leaf.path.contains("envFrom") {
                problems.append("an environment filled from a secret: \(leaf.path)")
            }
        }
        for variable in manifest.containers.flatMap({ $0["env"]?.array() ?? [] }) {
            let name = variable["name"]?.string ?? ""
            if name.contains(/PASSWORD|SECRET|TOKEN/) { problems.append("variable \(name)") }
        }
        return problems
    }

    // MARK: The restricted profile of the Pod Security Standards, and a little more

    private static func podSecurity(_ pod: Node) -> [String] {
        let context = pod["securityContext"]
        return [
            context?["runAsNonRoot"]?.bool == true ? nil : "runAsNonRoot is not true",
            (context?["runAsUser"]?.int ?? 0) > 0 ? nil : "runAsUser is no number of somebody",
            context?["fsGroup"]?.int == context?["runAsGroup"]?.int ? nil : "fsGroup is not the group",
            context?["seccompProfile"]?["type"]?.string == "RuntimeDefault" ? nil : "seccompProfile",
            pod["automountServiceAccountToken"]?.bool == false ? nil : "a service account's token is mounted",
            pod["hostNetwork"] == nil && pod["hostPID"] == nil && pod["hostIPC"] == nil ? nil : "the host's namespaces",
        ].compactMap(\.self)
    }

    private static func security(of container: Node) -> [String] {
        let context = container["securityContext"]
        return [
            context?["allowPrivilegeEscalation"]?.bool == false ? nil : "allowPrivilegeEscalation is not false",
            context?["readOnlyRootFilesystem"]?.bool == true ? nil : "readOnlyRootFilesystem is not true",
            context?["capabilities"]?["drop"]?.strings == ["ALL"] ? nil : "capabilities are not dropped",
            context?["capabilities"]?["add"] == nil ? nil : "capabilities are added",
            context?["privileged"] == nil ? nil : "privileged",
        ].compactMap(\.self)
    }

    private static func resources(of container: Node) -> [String] {
        ["requests", "limits"].flatMap { kind in
            ["cpu", "memory", "ephemeral-storage"].compactMap { resource in
                container["resources"]?[kind]?[resource] == nil ? "no \(kind) of \(resource)" : nil
            }
        }
    }

    // MARK: What is run

    /// The parser of the program itself takes the arguments.
    private static func commandLine(of container: Node) -> [String] {
        guard container["command"] == nil else { return ["its command is not that of the image"] }
        do {
            let command = try Martlet.parseAsRoot(container["args"]?.strings ?? [])
            if let work = command as? WorkCommand {
                return work.wait.duration > .zero ? [] : ["work without --wait depends on the order of starts"]
            }
            guard let migrate = command as? MigrateCommand else { return ["it runs neither migrate nor work"] }
            let directory = migrate.work.workDirectory ?? ""
            let claims = (container["volumeMounts"]?.array() ?? []).compactMap { $0["mountPath"]?.string }
            return [
                claims.contains { directory.hasPrefix($0 + "/") } ? nil : "--work-dir is on no volume",
                migrate.selection.jobs.number == nil ? "--jobs auto counts the processors of the node" : nil,
                migrate.partSize == nil ? "without --part-size workers have little to share" : nil,
            ].compactMap(\.self)
        } catch {
            return ["martlet does not understand its arguments: \(Martlet.message(for: error))"]
        }
    }

    /// Mounts have their volumes, and the service file is in a secret, as the group may read it.
    private static func mounts(of container: Node, in pod: Node) -> [String] {
        let volumes = pod["volumes"]?.array() ?? []
        let mounts = container["volumeMounts"]?.array() ?? []
        func volume(of mount: Node) -> Node? { volumes.first { $0["name"]?.string == mount["name"]?.string } }
        var problems = mounts.filter { volume(of: $0) == nil }.map { "no volume \($0["name"]?.string ?? "")" }
        let file = (container["env"]?.array() ?? []).first { $0["name"]?.string == "PGSERVICEFILE" }?["value"]?.string
        let secret = mounts.first { file?.hasPrefix(($0["mountPath"]?.string ?? "?") + "/") == true }
            .flatMap(volume)?["secret"]
        if secret?["secretName"]?.string == nil { problems.append("PGSERVICEFILE is in no secret that is mounted") }
        // kubectl kustomize writes it in decimal.
        if !["0440", "288"].contains(secret?["defaultMode"]?.string ?? "") { problems.append("the secret's mode") }
        return problems
    }

    // MARK: What happens when it ends

    private static func failures(of manifest: Manifest) -> [String] {
        let rules = manifest.spec?["podFailurePolicy"]?["rules"]?.array() ?? []
        func codes(_ action: String) -> [Int32] {
            rules.filter { $0["action"]?.string == action && $0["onExitCodes"]?["operator"]?.string == "In" }
                .flatMap { $0["onExitCodes"]?["values"]?.array() ?? [] }.compactMap { $0.int.map(Int32.init) }
        }
        let isLeader = manifest.containers.first?["args"]?.strings.first == "migrate"
        let hopeless: [ExitStatus] = isLeader ? [.foundProblems, .usage] : [.usage]
        let disruption = rules.first?["onPodConditions"]?.array().first?["type"]?.string
        return [
            disruption == "DisruptionTarget" && rules.first?["action"]?.string == "Ignore" ? nil : "disruptions count",
            codes("Ignore") == [ExitStatus.interrupted.rawValue] ? nil : "an interruption counts",
            codes("FailJob") == hopeless.map(\.rawValue) ? nil : "what cannot be mended is tried again",
            manifest.pod?["restartPolicy"]?.string == "Never" ? nil : "restartPolicy takes no podFailurePolicy",
            (manifest.pod?["terminationGracePeriodSeconds"]?.int ?? 0) >= 60 ? nil : "too little time to end",
        ].compactMap(\.self)
    }

    private static func shape(of manifest: Manifest) -> [String] {
        let (completions, parallelism) = (manifest.spec?["completions"]?.int, manifest.spec?["parallelism"]?.int)
        guard manifest.containers.first?["args"]?.strings.first == "work" else {
            return [
                completions == 1 && parallelism == 1 ? nil : "more than one runs the move",
                manifest.spec?["ttlSecondsAfterFinished"] == nil ? nil : "a Job that goes away may be applied again",
                manifest.kind == "Job" ? nil : "a \(manifest.kind) would begin another move after the end of this one",
            ].compactMap(\.self)
        }
        return [
            manifest.spec?["completionMode"]?.string == "Indexed" ? nil : "it is not Indexed",
            completions == parallelism ? nil : "completions are not parallelism",
            manifest.spec?["backoffLimitPerIndex"] == nil ? "no backoffLimitPerIndex" : nil,
        ].compactMap(\.self)
    }
}
