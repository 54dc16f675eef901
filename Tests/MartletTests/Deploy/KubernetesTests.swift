import Catalog
import Foundation
import TestSupport
import Testing
import Yams

/// deploy/kubernetes: by rules of our own, by kustomize, and by the schemas of Kubernetes.
struct KubernetesTests {
    /// The programs, where they are; kubectl is in no distribution, and kubernetes-validate comes by `make versions`.
    private static let kubectl = program(nil, "kubectl")
    private static let validator = program("MARTLET_KUBERNETES_VALIDATE", "kubernetes-validate")

    private static func program(_ variable: String?, _ name: String) -> String? {
        let environment = ProcessInfo.processInfo.environment
        let named = variable.flatMap { environment[$0] }
        let found = (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
        return ([named].compactMap(\.self) + found).first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static let overlays = ["kubernetes/base", "kubernetes/overlays/example"]

    /// What `kubectl apply -k` would send.
    private static func rendered(_ folder: String) async throws -> String {
        let path = Manifest.folder.appending(path: folder).path(percentEncoded: false)
        let outcome = try await Program(path: kubectl ?? "", arguments: ["kustomize", path]).run()
        try #require(outcome.isSuccess, "\(outcome.complaint)")
        return outcome.output
    }

    // MARK: Rules of our own

    @Test func `the files of the base keep our rules`() throws {
        let base = try Manifest.base()
        #expect(base.map(\.kind).sorted() == ["Job", "Job", "NetworkPolicy", "PersistentVolumeClaim"])
        #expect(ManifestRules.problems(of: base) == [])
        let folder = Manifest.folder.appending(path: "kubernetes/base").path(percentEncoded: false)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).map { "kubernetes/base/" + $0 }
        #expect(Set(files) == Set(try Manifest.baseFiles() + ["kubernetes/base/kustomization.yaml"]))
    }

    @Test func `one pod at a time has the work directory, and the policy is about all of them`() throws {
        let base = try Manifest.base()
        let claim = try #require(base.first { $0.kind == "PersistentVolumeClaim" })
        #expect(claim.spec?["accessModes"]?.strings == ["ReadWriteOncePod"])
        let leader = try #require(base.first { $0.name == "martlet-migrate" })
        let claims = (leader.pod?["volumes"]?.array() ?? []).compactMap { $0["persistentVolumeClaim"]?["claimName"] }
        #expect(claims.map(\.string) == [claim.name])
        let policy = try #require(base.first { $0.kind == "NetworkPolicy" })
        let labels = try #require(policy.spec?["podSelector"]?["matchLabels"])
        for manifest in base where manifest.pod != nil {
            let theirs = manifest.spec?["template"]?["metadata"]?["labels"]
            #expect(theirs?["app.kubernetes.io/name"] == labels["app.kubernetes.io/name"])
        }
        #expect(policy.spec?["policyTypes"]?.strings == ["Ingress", "Egress"])
        #expect(policy.spec?["ingress"] == nil)
    }

    /// Each is a change for the worse, and the rule that must say so.
    static let spoiled: [(text: String, by: String, rule: String)] = [
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"),
        ("drop: [ALL]", "drop: [NET_RAW]", "capabilities are not dropped"),
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation"),
        ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
        ("type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
        ("automountServiceAccountToken: false", "hostNetwork: true", "the host's namespaces"),
        ("automountServiceAccountToken: false", "hostNetwork: true", "service account's token"),
        ("fsGroup: 10001", "fsGroup: 0", "fsGroup"),
        ("value: service=source", "value: postgresql://app:geheim@old/shop", "a password"),
        ("value: service=source", "value: host=old password=geheim", "a password"),
        ("name: MARTLET_SOURCE", "name: PGPASSWORD", "variable PGPASSWORD"),
        ("value: service=target", "valueFrom: {secretKeyRef: {name: s, key: k}}", "filled from a secret"),
        ("args: [", "args: [--verbose, ", "does not understand"),
        ("--jobs, \"", "--jobs, \"x", "does not understand"),
        ("values: [130]", "values: [1]", "an interruption counts"),
        ("64]", "1]", "tried again"),
        ("DisruptionTarget", "ConfigIssue", "disruptions count"),
        ("defaultMode: 0440", "defaultMode: 0400", "the secret's mode"),
        ("mountPath: /etc/martlet", "mountPath: /etc/other", "in no secret"),
        ("name: endpoints", "name: other", "no volume"),
        ("ephemeral-storage: 64Mi", "storage: 64Mi", "no requests of ephemeral-storage"),
        ("restartPolicy: Never", "restartPolicy: OnFailure", "restartPolicy"),
        ("parallelism: ", "parallelism: 2", "parallelism|more than one"),
        ("backoffLimit", "otherLimit", "backoffLimitPerIndex"),
        ("completionMode: Indexed", "completionMode: NonIndexed", "not Indexed"),
        (", --wait, 2h", "", "--wait"),
        (", --jobs, \"4\"", "", "--jobs auto"),
        ("/var/lib/martlet/move", "/tmp/move", "--work-dir"),
        ("kind: Job", "kind: Deployment", "would begin another"),
        ("backoffLimit: 20", "ttlSecondsAfterFinished: 60", "applied again"),
    ]

    @Test(arguments: spoiled.indices)
    func `a change for the worse is noticed`(index: Int) throws {
        let (text, worse, rule) = Self.spoiled[index]
        let files = try Manifest.baseFiles().map { ($0, try Manifest.text(of: $0)) }.filter { $0.1.contains(text) }
        try #require(!files.isEmpty, "nothing has \(text)")
        let problems = try files.flatMap { file, content in
            let first = try #require(content.range(of: text))
            // The first of several: a volume that is renamed wherever it is named is no problem.
            let spoiled = content.replacingCharacters(in: first, with: worse)
            return ManifestRules.problems(of: try Manifest.all(in: spoiled, from: file))
        }
        let expected = try Regex(rule)
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }

    // MARK: kustomize

    @Test(
        .enabled(if: kubectl != nil, "kubectl is not installed: deploy/kubernetes is checked as files, not as rendered")
    )
    func `kustomize renders base and overlay, and both keep our rules`() async throws {
        for folder in Self.overlays {
            let manifests = try Manifest.all(in: try await Self.rendered(folder), from: folder)
            #expect(manifests.count { $0.kind == "Job" } == 2)
            #expect(ManifestRules.problems(of: manifests) == [])
        }
        let manifests = try Manifest.all(in: try await Self.rendered(Self.overlays[1]), from: Self.overlays[1])
        for manifest in manifests where manifest.kind != "Namespace" {
            #expect(manifest.node["metadata"]?["namespace"]?.string == "martlet-shop", "\(manifest.name)")
        }
        for container in manifests.flatMap(\.containers) {
            let image = container["image"]?.string ?? ""
            #expect(image.contains("/martlet:") && !image.hasSuffix(":latest"), "\(image)")
        }
        #expect(manifests.first { $0.name == "martlet-work" && $0.kind == "Job" }?.spec?["parallelism"]?.int == 8)
        // Whom it may talk to: whoever answers for names, and on PostgreSQL's port the two servers alone.
        let egress = manifests.first { $0.kind == "NetworkPolicy" }?.spec?["egress"]?.array() ?? []
        let postgres = egress.filter { $0["ports"]?.array().contains { $0["port"]?.int == 5432 } == true }
        #expect(postgres.map { $0["to"]?.array().count } == [2])
    }

    // MARK: Schemas

    /// The oldest version of Kubernetes that knows all that the manifests say, and the newest one that was tried.
    static let versions = ["1.29.0", "1.37.0"]

    private static func validate(_ text: String) async throws -> Program.Outcome {
        try await withTemporaryDirectory { directory in
            let file = directory + "/manifest.yaml"
            try Data(text.utf8).write(to: URL(filePath: file))
            let arguments = ["--strict", "--quiet"] + versions.flatMap { ["-k", $0] } + [file]
            return try await Program(path: validator ?? "", arguments: arguments).run()
        }
    }

    @Test(.enabled(if: validator != nil, "kubernetes-validate is not installed"))
    func `the base is what Kubernetes' schemas ask for`() async throws {
        let text = try Manifest.baseFiles().map { try Manifest.text(of: $0) }.joined(separator: "\n---\n")
        let outcome = try await Self.validate(text)
        #expect(outcome.isSuccess, "\(outcome.output)\(outcome.complaint)")
        for typo in ["readOnlyRootFilesystem", "podFailurePolicy", "policyTypes", "accessModes"] {
            let refused = try await Self.validate(text.replacing(typo, with: typo + "s"))
            #expect(!refused.isSuccess && (refused.output + refused.complaint).contains(typo + "s"))
        }
    }

    @Test(
        .enabled(if: kubectl != nil && validator != nil, "kubectl or kubernetes-validate is not installed"),
        arguments: overlays
    )
    func `what kustomize renders is what Kubernetes' schemas ask for`(folder: String) async throws {
        let outcome = try await Self.validate(try await Self.rendered(folder))
        #expect(outcome.isSuccess, "\(outcome.output)\(outcome.complaint)")
    }
}
